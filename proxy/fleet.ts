// The daemon's side of all its proxies: finds those that run, keeps their number, replaces the dead and the outdated,
// and gives each the newest table. Works from the records in the folder, so a new daemon simply takes over.
import { availableParallelism } from 'node:os';
import { isRunning } from '../backends/host/process-identity.ts';
import type { TrafficFact } from '../schemas/actual.ts';
import type { RouteTable } from '../schemas/routes.ts';
import { groupKey, machineSecond } from './arrivals.ts';
import { PROTOCOL } from './control.ts';
import { parseAddress } from './listen.ts';
import type { Member, MemberPhase } from './member.ts';
import { holdsWithin, openNursery } from './nursery.ts';
import { preparePlace } from './place.ts';
import { publishedVersions } from './published.ts';
import { livingRecords, type ProxyRecord, signalProcess } from './record.ts';
import { openRoster, SILENT_TICKS } from './roster.ts';
import { openTally, type Tally } from './tally.ts';

export interface FleetOptions {
  readonly dataDir: string;
  /** `host:port`. */
  readonly listen: string;
  /** How many proxies; two, or one on a single core, when absent. */
  readonly count?: number;
  /** The unix socket of the daemon's HTTP API. */
  readonly apiSocket: string;
  /** The environment of the proxies; empty when absent: they need none, and must not inherit secrets. */
  readonly env?: NodeJS.ProcessEnv;
  /** From the last byte of a request until the first of its answer. */
  readonly answerMs?: number;
  /** How long a request waits for a replica of a service that has none, before it is refused. */
  readonly holdMs?: number;
  /** How long a proxy outlives its data dir. */
  readonly orphanMs?: number;
  readonly onChange: () => void;
  /** Requests for this service wait for a replica. */
  readonly onHeld?: (project: string, service: string) => void;
  readonly log: (line: string) => void;
}

export interface ProxyStatus {
  readonly pid: number;
  readonly phase: MemberPhase;
  /** null until it has said hello. */
  readonly protocol: number | null;
  /** The generation it acknowledged to this daemon; null before. */
  readonly generation: number | null;
  /** Why it refused the newest table; '' when it did not. */
  readonly refused: string;
  readonly inflight: number;
}

export interface Fleet {
  /** Where clients on this machine reach the proxies. */
  readonly url: string;
  push(table: RouteTable): void;
  /** By `<project>/<service>`: the newest route version that every living proxy has acknowledged. */
  published(): ReadonlyMap<string, number>;
  /** Requests in flight on a replica, over all proxies; never older than what `published` says. */
  inflight(project: string, replica: string): number;
  /** What a replica group was asked in the last `windowMs`; null while some proxy has not told what it counted. */
  traffic(project: string, service: string, group: string, windowMs: number): TrafficFact | null;
  proxies(): readonly ProxyStatus[];
  /** Ends all proxies: requests in flight have `graceMs` to finish. */
  stop(graceMs?: number): Promise<void>;
  /** Leaves all proxies running, to be adopted by the next daemon. */
  detach(): void;
}

const TICK_MS = 1_000;
const ANSWER_MS = 600_000;
const ORPHAN_MS = 60_000;
const RETIRE_MS = 60_000;

/** Adopts the proxies of `dataDir` that run, or opens the address. Fails when the address cannot be had. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { apiSocket, log } = options;
  const place = await preparePlace(options.dataDir);
  const count = options.count ?? Math.min(2, availableParallelism());
  const limits = {
    answerMs: options.answerMs ?? ANSWER_MS,
    ...(options.holdMs !== undefined && { holdMs: options.holdMs }),
    orphanMs: options.orphanMs ?? ORPHAN_MS,
  };
  const nursery = openNursery({ place, apiSocket, ...limits }, options.env ?? {});
  let { listen } = options;
  /** starting: those that run are being heard. ending: none is started or retired from here on. */
  let stage: 'starting' | 'leading' | 'ending' = 'starting';
  let isStartingOne = false;
  /** Worked out when it is asked for, anew after each change. */
  let published: ReadonlyMap<string, number> | null = null;
  const { folder } = place;
  const tally = openTally();
  const onHeld = (services: ReadonlySet<string>) => {
    for (const key of services) options.onHeld?.(...namesOf(key));
  };
  const roster = openRoster({
    folder,
    apiSocket,
    tally,
    onChange: changed,
    onHeld,
    onSpawn: nursery.onSpawn,
    log,
  });
  const timer = setInterval(() => {
    roster.tick();
    changed();
  }, TICK_MS);

  function changed(): void {
    published = null;
    roster.look();
    if (stage !== 'leading') return;
    tend();
    options.onChange();
  }

  /** One step towards what should be: the right number, of this protocol, at this address. */
  function tend(): void {
    const current = roster.members.filter(isCurrent);
    if (current.length < count && !isStartingOne) void startOne();
    for (const member of current.slice(count)) retire(member, 'it is one too many');
    if (!current.some(isServing)) return;
    for (const member of roster.members) if (!isCurrent(member)) retire(member, 'it is outdated');
  }

  function isHere(member: Member): boolean {
    return member.phase !== 'retiring' && isAt(member.record, listen);
  }

  function isCurrent(member: Member): boolean {
    return isHere(member) && (member.protocol === null || member.protocol === PROTOCOL);
  }

  function retire(member: Member, why: string): void {
    if (member.phase !== 'accepting') return;
    log(`proxy ${pidOf(member)} retires: ${why}`);
    member.retire(RETIRE_MS);
  }

  async function startOne(): Promise<void> {
    const here = roster.members.filter(isHere);
    const parent = here.find(isServing);
    // While some process holds the address and cannot be asked, its end must come first.
    if (parent === undefined && here.length > 0) return;
    isStartingOne = true;
    try {
      if (parent === undefined) await nursery.open(listen);
      else await nursery.spawn(parent, () => !roster.members.includes(parent));
      if (stage === 'leading') roster.look();
    } catch (error) {
      log(error instanceof Error ? error.message : String(error));
    } finally {
      isStartingOne = false;
    }
  }

  /** Hears all that run (one that hangs is killed), and opens the address if none of them holds it. */
  async function takeOver(): Promise<string> {
    await holdsWithin(2 * SILENT_TICKS * TICK_MS, () =>
      roster.members.every(({ protocol }) => protocol !== null),
    );
    if (!roster.members.some(isHere)) await nursery.open(listen);
    roster.look();
    return roster.members.find(isHere)?.record.url ?? `http://${listen}`;
  }

  function detach(): void {
    stage = 'ending';
    clearInterval(timer);
    roster.close();
  }

  const url = await takeOver().catch((error: unknown) => {
    detach();
    throw error;
  });
  listen = boundTo(listen, url);
  stage = 'leading';
  tend();

  return {
    url,
    push(table) {
      tally.retain(new Set(table.routes.map(({ project, service }) => `${project}/${service}`)));
      roster.push(table);
    },
    published() {
      published ??= publishedVersions(roster.members.filter(mayServe).map(({ acked }) => acked));
      return published;
    },
    inflight: (project, replica) =>
      roster.members.reduce((sum, { inflight }) => sum + (inflight[`${project}/${replica}`] ?? 0), 0),
    traffic(project, service, group, windowMs) {
      const proxies = roster.members.filter(mayServe);
      if (!proxies.every(hasToldCounts)) return null;
      return trafficOf(tally, proxies, groupKey(`${project}/${service}`, group), windowMs);
    },
    proxies: () => roster.members.map(statusOf),
    async stop(graceMs = 10_000) {
      stage = 'ending';
      const proxies = livingRecords(folder);
      for (const member of roster.members) member.retire(graceMs);
      await endAll(proxies, graceMs + 1_000);
      detach();
    },
    detach,
  };
}

/** Ends the proxies of a data dir that no daemon leads; says each one first. */
export async function stopProxies(dataDir: string, say: (line: string) => void): Promise<void> {
  const { folder } = await preparePlace(dataDir);
  const proxies = livingRecords(folder);
  for (const { identity } of proxies) say(`ends the proxy, pid ${identity.pid}`);
  await endAll(proxies, 0);
}

// Private

function isServing(member: Member): boolean {
  return member.phase === 'accepting' && member.protocol !== null;
}

/** All but successors that have not begun: one that retires still answers on the connections it has. */
function mayServe(member: Member): boolean {
  return member.phase !== 'waiting';
}

/** One of another protocol counts nothing, and is being replaced. */
function hasToldCounts({ protocol, hasCounted }: Member): boolean {
  return hasCounted || (protocol !== null && protocol !== PROTOCOL);
}

function trafficOf(tally: Tally, proxies: readonly Member[], key: string, windowMs: number): TrafficFact {
  const now = machineSecond();
  const last = tally.last(key);
  return {
    requests: tally.sum(key, windowMs / 1000, now),
    windowMs,
    held: proxies.reduce((sum, { held }) => sum + (held[key] ?? 0), 0),
    quietMs: last === null ? null : Math.max(0, now - last) * 1000,
  };
}

function namesOf(key: string): [project: string, service: string] {
  const [project = '', service = ''] = key.split('/');
  return [project, service];
}

function pidOf(member: Member): number {
  return member.record.identity.pid;
}

function statusOf(member: Member): ProxyStatus {
  return {
    pid: pidOf(member),
    phase: member.phase,
    protocol: member.protocol,
    generation: member.acked?.generation ?? null,
    refused: member.refused,
    inflight: Object.values(member.inflight).reduce((sum, one) => sum + one, 0),
  };
}

/** Port 0 is at home wherever it ended up. */
function isAt(record: ProxyRecord, listen: string): boolean {
  const wanted = parseAddress(listen);
  if (parseAddress(record.listen).host !== wanted.host) return false;
  return wanted.port === 0 || wanted.port === Number(new URL(record.url).port);
}

function boundTo(listen: string, url: string): string {
  const { host } = parseAddress(listen);
  return `${host.includes(':') ? `[${host}]` : host}:${new URL(url).port}`;
}

/**
 * Waits `ms` for proxies that were told to retire, then asks with more and more force. Their records are read before
 * they are told: a proxy removes its own just before it ends.
 */
async function endAll(proxies: readonly ProxyRecord[], ms: number): Promise<void> {
  const identities = proxies.map((record) => record.identity);
  const areGone = () => !identities.some(isRunning);
  if (await holdsWithin(ms, areGone)) return;
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const identity of identities) signalProcess(identity, signal);
    if (await holdsWithin(2_000, areGone)) return;
  }
}
