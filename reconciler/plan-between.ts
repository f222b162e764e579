// Plans without a server: what files would change against other files, as if those ran, or against nothing.
// Secrets are the server's to know, so here every one of them is there, and unchanged.
import { randomBytes } from 'node:crypto';
import type { Actual } from '../schemas/actual.ts';
import type { DesiredRecord, DesiredService } from '../schemas/desired.ts';
import type { Plan } from '../schemas/plan.ts';
import type { ServiceState } from '../schemas/rollout.ts';
import { aroundConflicts, aroundWanted } from './around.ts';
import { aroundAsIf } from './around-as-if.ts';
import { type Ask, aroundContext, askMarkets, askOnce } from './markets.ts';
import { decide } from './plan/decide.ts';
import { type MarketOf, planOf } from './plan/diff.ts';
import { askedRecords, previewOf } from './preview.ts';
import { createVault, type Vault } from './secrets.ts';
import type { Lasting } from './supply.ts';
import {
  type ReadFiles,
  type SourceFile,
  unique,
  type WantedOptions,
  type WantedServices,
  wantedOf,
} from './wanted.ts';

/** The configuration files of one version, `trueup.yml` and the profiles among them, from the root of the repository. */
export interface Side {
  readonly files: readonly SourceFile[];
  /** null: it is none. */
  readonly commit: string | null;
  /** Names what is mounted. Absent: nothing is known of it, so it counts as the same. */
  readonly mountIds?: WantedOptions['mountIds'];
}

export interface BetweenOptions {
  /** The watched folder; absent: all of the repository. */
  readonly root?: string;
  /** Absent: nothing has a price. */
  readonly ask?: Ask;
  readonly prices?: Plan['prices'];
  /** What masks values; absent: one that is forgotten afterwards. */
  readonly vault?: Vault;
  /** The files are one file: what it names may be declared elsewhere. */
  readonly isAlone?: boolean;
  /** Epoch ms, for windows; absent: now. */
  readonly now?: number;
}

/** `base` null: against nothing. */
export async function planBetween(
  base: Side | null,
  head: Side,
  options: BetweenOptions = {},
): Promise<Plan> {
  const { root = '', prices = UNKNOWN, isAlone = false, now = Date.now() } = options;
  const ask = askOnce(options.ask ?? NOBODY);
  // The same for both sides, so that equal values have equal masks.
  const vault = options.vault ?? createVault(randomBytes(32));
  const read = ({ files, mountIds = async () => new Map() }: Side) =>
    wantedOf(files, { root, vault, mountIds, isAlone, secrets: () => 'unknown here', refusal: () => null });
  const before = base ? await read(base) : EMPTY;
  const after = await read(head);
  const applied = inForce(before);
  const known = aroundWanted({ files: before.files, commit: '' }, new Map(), applied.known);
  const fresh = { around: known, states: new Map(), ...LASTING };
  const marketBefore = await askMarkets(before.desired, ask, fresh);
  const states = [...before.desired].map(
    ([name, service]) => [name, runningState(service, marketBefore)] as const,
  );
  const { marketOf } = await aroundContext(fresh, known, ask, LASTING);
  const standing = { around: known, states: aroundAsIf(known, before.desired, marketOf) };
  const found = { ...after, unread: stillUnread(before, after) };
  const next = askedRecords(applied.known, found);
  const wanted = aroundWanted({ files: after.files, commit: '' }, known, next);
  const supply = { ...standing, around: wanted, ...LASTING, isAlone };
  return planOf(after.desired, new Map(states), {
    commit: head.commit,
    base: base?.commit ?? null,
    unread: found.unread,
    problems: unique([
      ...after.problems,
      ...[...wanted.values()].flatMap(({ problems }) => problems),
      ...aroundConflicts(after.files, wanted),
    ]),
    policy: after.policy,
    marketOf: await askMarkets(after.desired, ask, supply),
    around: await aroundContext(standing, wanted, ask, LASTING),
    prices,
    ...(await previewOf({ ...applied, found, ask, supply, now })),
  });
}

// Private

const UNKNOWN: Plan['prices'] = { source: 'snapshot', date: null };

const NOBODY: Ask = () => ({ offers: [], total: 0, excluded: [], failures: [] });

/** Price lists are of clouds. */
const LASTING: Lasting = { lasts: () => true };

const EMPTY: ReadFiles = {
  desired: new Map(),
  unread: new Set(),
  broken: new Set(),
  problems: [],
  policy: null,
  files: new Map(),
};

/** As a server would have it that has applied what was before. */
function inForce({ desired, policy }: WantedServices) {
  const known = [...desired].map(([name, service]) => {
    const record: DesiredRecord = { service, removed: false, problems: [] };
    return [name, record] as const;
  });
  const state = { renames: [], ...(policy ? { policies: { before: policy, own: policy } } : {}) };
  return {
    project: '',
    commit: null,
    store: { list: async () => [] },
    state,
    known: new Map(known),
    isGated: false,
  };
}

/** Names that the files give but do not describe, and services whose file does not parse any more. */
function stillUnread(before: WantedServices, { unread, broken }: WantedServices): Set<string> {
  const made = [...before.desired].filter(([, { file }]) => broken.has(file)).map(([name]) => name);
  return new Set([...unread, ...made]);
}

/** The service as it would be decided on from nothing, once all of that has happened. */
function runningState(service: DesiredService, marketOf: MarketOf): ServiceState {
  const { name, spec } = service;
  const offers = spec.groups.map((group) => {
    const market = marketOf(name, group.name);
    return [group.name, { kind: 'offers', offers: market?.offers ?? [] }] as const;
  });
  const actual: Actual = { ...NOTHING_THERE, offers: Object.fromEntries(offers) };
  const desired = { service, removed: false, problems: [] };
  const { state } = decide({ project: '', service: name, desired, state: null, actual, now: 0 });
  if (!state) throw new Error(`${name} is wanted, yet nothing is decided`);
  const replicas = state.replicas.map(
    (replica) => ({ ...replica, phase: 'ready', everReady: true }) as const,
  );
  return { ...state, replicas, good: state.target, rollout: null };
}

const NOTHING_THERE: Actual = { replicas: {}, offers: {}, probes: {}, published: -1, inflight: {} };
