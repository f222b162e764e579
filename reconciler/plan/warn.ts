// What a reader of a plan must see before anything else, worst first.
import type { GroupSpec } from '../../schemas/desired.ts';
import type { Market } from '../../schemas/offer.ts';
import {
  type Change,
  type Exclusion,
  type GroupPlan,
  type PlanWarning,
  planWarningSchema,
} from '../../schemas/plan.ts';
import type { Replica, ServiceState } from '../../schemas/rollout.ts';
import { isEnding } from './deployments.ts';
import type { Wanted } from './fields.ts';
import { isSold, turnoverOf } from './price.ts';

/** One change with all that is known about its service. */
export interface Prospect {
  readonly change: Change;
  /** null: its file is gone, or does not parse. */
  readonly desired: Wanted | null;
  readonly state: ServiceState | undefined;
  readonly marketOf: (group: string) => Market | undefined;
}

/** `now` (epoch ms) tells whether a quarantine is over; absent: none is. */
export function warningsOf(
  prospects: readonly Prospect[],
  others: readonly PlanWarning[],
  now: number = Number.NEGATIVE_INFINITY,
): PlanWarning[] {
  const found = prospects.flatMap((prospect) => [
    ...marketWarnings(prospect),
    ...quarantineWarnings(prospect, now),
  ]);
  // That nothing is for sale says already why nobody knows whether the budget allows it.
  const unsold = new Set(found.filter(({ kind }) => UNSOLD.includes(kind)).map(({ service }) => service));
  const told = others.filter(({ kind, service }) => kind !== 'over-budget' || !unsold.has(service));
  return [...deletionWarnings(prospects), ...found, ...told].toSorted(
    (a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind),
  );
}

// Private

/** Worst first, as the schema lists them. */
const KINDS: readonly PlanWarning['kind'][] = planWarningSchema.shape.kind.options;

const UNSOLD: readonly PlanWarning['kind'][] = ['no-offer', 'over-max-price'];

function deletionWarnings(prospects: readonly Prospect[]): PlanWarning[] {
  const deleted = prospects.filter(({ change }) => change.change === 'delete');
  const [only] = deleted;
  if (!only) return [];
  const replicas = deleted.reduce((count, { state }) => count + (state?.replicas.length ?? 0), 0);
  const end = `${count(replicas, 'replica')} ${replicas === 1 ? 'ends' : 'end'}`;
  if (deleted.length === 1) {
    const message = `it is removed, because its file is gone: ${end}`;
    return [warning('deletes', only.change.service, message, 'Put its file back to keep it.')];
  }
  const names = deleted.map(({ change }) => change.service).join(', ');
  const message = `${deleted.length} services are removed, because their files are gone: ${names}; ${end}`;
  return [warning('deletes', '', message, 'Put the files back of those to keep.')];
}

function quarantineWarnings({ change, desired, state }: Prospect, now: number): PlanWarning[] {
  const { quarantine } = state ?? {};
  if (!quarantine || quarantine.digest !== desired?.digest || now >= quarantine.until) return [];
  const message = `this very revision failed before and is not tried again yet: ${quarantine.reason}`;
  const fix = 'Change its file, its policy or a secret to try again at once.';
  return [warning('quarantined', change.service, message, fix)];
}

/** Of the groups in which something new has to be placed. */
function marketWarnings({ change, desired, state, marketOf }: Prospect): PlanWarning[] {
  if (!desired || change.change === 'keep') return [];
  const isRenamed = change.change === 'rename';
  const turnover = turnoverOf(desired, isRenamed ? undefined : state);
  return desired.spec.groups.flatMap((group) => {
    const plan = change.groups.find(({ name }) => name === group.name);
    const market = marketOf(group.name);
    if (!plan || !market) return [];
    const { missing: need = 0, old: replaced = [] } = turnover.get(group.name) ?? {};
    const old = isRenamed ? (state?.replicas ?? []).filter((each) => each.group === group.name) : replaced;
    if (need === 0 && !change.how.includes('placement')) return [];
    const placing: Placing = {
      change,
      desired,
      group,
      plan,
      market,
      need,
      old: old.filter((replica) => replica.everReady && !isEnding(replica)),
    };
    const text = trouble(placing);
    return text
      ? [{ ...text, message: `${whose(desired, group)}${text.message}`, service: change.service }]
      : [];
  });
}

interface Placing {
  readonly change: Change;
  readonly desired: Wanted;
  readonly group: GroupSpec;
  readonly plan: GroupPlan;
  readonly market: Market;
  /** Replicas to create. */
  readonly need: number;
  /** Those that serve until new ones do. */
  readonly old: readonly Replica[];
}

type Trouble = Omit<PlanWarning, 'service'>;

/** The first that there is: each makes the next pointless to say. */
function trouble(placing: Placing): Trouble | null {
  if (placing.plan.pricePerReplica === null && placing.plan.totalOffers === 0) return noOffer(placing);
  return cannotSurge(placing) ?? capacity(placing);
}

function noOffer({ plan }: Placing): Trouble | null {
  const [nearest] = plan.excluded;
  const dear = plan.excluded.find(({ requirement }) => requirement === 'max_price');
  if (dear) {
    const needs = `${count(dear.rows, 'offer')} ${dear.rows === 1 ? 'needs' : 'need'}`;
    const message = `no offer is cheap enough: ${needs} ${dear.nearest || 'a higher `max_price`'}`;
    return { kind: 'over-max-price', message, fix: 'Raise `max_price`, or ask for less.' };
  }
  if (!nearest)
    return { kind: 'no-offer', message: 'no offer matches', fix: 'Ask for less, or allow more backends.' };
  const message = `no offer matches; ${exclusionText(nearest)}`;
  return { kind: 'no-offer', message, fix: fixOf(nearest) };
}

function exclusionText({ requirement, rows }: Exclusion): string {
  return `${count(rows, 'offer')} would do without ${requirement
    .split(' + ')
    .map((name) => `\`${name}\``)
    .join(' and ')}`;
}

function fixOf({ requirement, nearest }: Exclusion): string {
  if (requirement === 'fleets')
    return 'Name a fleet that a file declares and that allows what it asks for, or none.';
  if (nearest === '') return `Relax \`${requirement}\`.`;
  return nearest.includes('`')
    ? `This would do: ${nearest}.`
    : `This would do: \`${requirement}\` ${nearest}.`;
}

/** All that match are taken, or fewer are left than are needed. */
function capacity({ plan, market, need, old }: Placing): Trouble | null {
  const fix = 'Wait until some are free, ask for less, or allow more backends.';
  if (plan.pricePerReplica === null) {
    const message = `${count(plan.totalOffers, 'offer')} would do, but none is free now`;
    return { kind: 'capacity', message, fix };
  }
  const free = poolSize(market);
  if (free < need) return { kind: 'capacity', message: `${need} are needed, and only ${free} are free`, fix };
  // One that leaves makes room in its fleet for another.
  const { room = Number.POSITIVE_INFINITY } = market;
  const wanted = Math.max(1, need - old.length);
  if (need === 0 || room >= wanted) return null;
  const message = `${wanted} machine${wanted === 1 ? ' is' : 's are'} needed, and the fleets that it names have room for ${room}`;
  return { kind: 'capacity', message, fix: 'Raise `nodes` of a fleet that it names, or ask for less.' };
}

/** An idle instance serves one replica; whatever else is for sale may be sold more than once. */
function poolSize({ offers, total }: Market): number {
  const sold = offers.filter(isSold);
  const isPool = sold.every(({ availability }) => availability === 'idle') && offers.length === total;
  return isPool ? sold.length : Number.POSITIVE_INFINITY;
}

/** Why no new replica can run beside the old ones, so that these would have to go first. */
function cannotSurge(placing: Placing): Trouble | null {
  const { change, old, need, desired, plan, group, market } = placing;
  if (old.length === 0 || need === 0) return null;
  const { surge, unavailable } = desired.spec.policy;
  // Under another name it is a service of its own, and needs no surge.
  if (surge === 0 && change.change !== 'rename') {
    if (group.replicas.min > unavailable) return null;
    const message = `its policy has no surge, so nothing serves for ${downtime(old)} while it is replaced`;
    return { kind: 'cannot-surge', message, fix: 'Set `surge: 1` for it in trueup.yml.' };
  }
  const why = sharedVolume(group) ?? (plan.pricePerReplica === null ? allTaken(plan) : fullFleet(market));
  if (why === null || unavailable > 0) return null;
  const message = `${why}, so the rollout waits; it needs downtime of ${downtime(old)}`;
  const fix = 'Set `unavailable: 1` for it in trueup.yml, or give it somewhere else to run.';
  return { kind: 'cannot-surge', message, fix };
}

function sharedVolume({ process }: GroupSpec): string | null {
  const volume = process.volumes.find(({ name }) => name !== undefined);
  return volume ? `one instance at a time can hold the volume \`${String(volume.name)}\`` : null;
}

function fullFleet({ room }: Market): string | null {
  return room === 0 ? 'every machine of the fleets that it names is in use' : null;
}

function allTaken({ totalOffers }: GroupPlan): string {
  return totalOffers === 1
    ? 'the only offer that would do is taken'
    : `all ${totalOffers} offers that would do are taken`;
}

/** As long as its replicas took to become ready the last time. */
function downtime(old: readonly Replica[]): string {
  const times = old.flatMap(({ readyAt, createdAt }) => (readyAt === null ? [] : [readyAt - createdAt]));
  const longest = Math.max(0, ...times);
  return longest === 0 ? 'as long as a replica takes to start' : `about ${Math.ceil(longest / 1000)} s`;
}

function whose({ spec }: Wanted, { name }: GroupSpec): string {
  return spec.groups.length > 1 ? `group ${name}: ` : '';
}

function warning(kind: PlanWarning['kind'], service: string, message: string, fix: string): PlanWarning {
  return { kind, service, message, fix };
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
