// Fleets as services see them: what they would give, what they gave, and the question for a machine, which is nothing but
// the replica in the service's own record.
import type { Backend } from '../backends/backend.ts';
import type { Instance, OffersFact, Tags } from '../schemas/actual.ts';
import type { Placement } from '../schemas/desired.ts';
import { Failure } from '../schemas/errors.ts';
import { type DesiredFleet, type FleetState, type Guest, IDLE_POOL } from '../schemas/fleet.ts';
import { nameAround } from '../schemas/keys.ts';
import type { Offer } from '../schemas/offer.ts';
import { offersOfAll } from './offers.ts';
import { askedText } from './plan/asked.ts';
import { combine } from './plan/combine.ts';
import { isGuest } from './plan/fleet/facts.ts';
import { fullText, roomIn } from './plan/fleet/lend.ts';
import { idleOffers } from './plan/fleet/offered.ts';
import type { Store } from './store/store.ts';

export interface FleetsOptions {
  readonly project: string;
  readonly store: Pick<Store, 'load'>;
  readonly wake: (key: string) => void;
}

export interface Fleets {
  /** What any of these fleets would give for `placement`: idle machines, and new ones while there is room. */
  offers(
    backends: Iterable<Backend>,
    names: readonly string[],
    placement: Placement,
    isIdleOnly: boolean,
  ): Promise<OffersFact>;
  /** The machine that the fleet gave the replica of these tags; null: not yet. Throws its refusal. */
  ask(backend: Backend, fleet: string, tags: Tags): Promise<Instance | null>;
  /** The same, without asking; null: it gave none, or the machine is gone. */
  lent(backend: Backend, fleet: string, tags: Tags): Promise<Instance | null>;
}

/** For one pass: each fleet's record is read once, however many replicas have machines of it. */
export function readFleets({ project, store, wake }: FleetsOptions): Fleets {
  const records = new Map<string, Promise<FleetRecord>>();
  const read = (fleet: string): Promise<FleetRecord> => {
    const known = records.get(fleet) ?? recordOf(store, keyOf(project, fleet));
    records.set(fleet, known);
    return known;
  };
  const lent = async (backend: Backend, fleet: string, tags: Tags): Promise<Instance | null> => {
    const { state } = await read(fleet);
    return instanceOf(backend, state, tags);
  };
  return {
    lent,
    async ask(backend, fleet, tags) {
      const { desired, state } = await read(fleet);
      const refusal = state?.refusals.find((each) => isGuest(each, guestOf(tags)));
      if (refusal) throw new Failure(refusal.kind, refusal.message);
      if (!desired && !state) throw new Failure('no-capacity', noFleetText(fleet));
      const instance = await instanceOf(backend, state, tags);
      if (instance === null) wake(keyOf(project, fleet));
      return instance;
    },
    async offers(backends, names, placement, isIdleOnly) {
      const all = [...backends];
      const answers = await Promise.all(
        names.map(async (name) => answerOf(name, await read(name), all, placement, isIdleOnly)),
      );
      return together(answers);
    },
  };
}

// Private

interface FleetRecord {
  readonly desired: DesiredFleet | null;
  readonly state: FleetState | null;
}

async function recordOf(store: FleetsOptions['store'], key: string): Promise<FleetRecord> {
  const record = await store.load(key);
  return {
    desired: (record?.desired ?? null) as DesiredFleet | null,
    state: (record?.state ?? null) as FleetState | null,
  };
}

function keyOf(project: string, fleet: string): string {
  return `${project}/${nameAround('fleet', fleet)}`;
}

function noFleetText(fleet: string): string {
  return `no file declares the fleet \`${fleet}\``;
}

function guestOf({ service, replica, attempt }: Tags): Guest {
  return { service, replica, attempt };
}

/** The instance with the tags of who has it, as if it had been made for them. */
async function instanceOf(backend: Backend, state: FleetState | null, tags: Tags): Promise<Instance | null> {
  const machine = state?.machines.find(({ guest }) => guest !== null && isGuest(guest, guestOf(tags)));
  if (!machine?.instance || machine.phase === 'ending') return null;
  const instance = await backend.get(machine.instance);
  const isOurs = instance?.tags.owner === tags.owner && instance.tags.replica === machine.name;
  return isOurs ? { ...instance, tags } : null;
}

/** What one fleet has; or why it has nothing: it is not there, it is full, its backends do not answer. */
type Answer = {
  readonly offers: readonly Offer[];
  readonly kind: 'awaits' | 'full' | 'unknown';
  readonly why: string;
};

async function answerOf(
  name: string,
  { desired, state }: FleetRecord,
  backends: readonly Backend[],
  placement: Placement,
  isIdleOnly: boolean,
): Promise<Answer> {
  const none = (kind: Answer['kind'], why: string): Answer => ({ kind, why, offers: [] });
  if (!desired) return none('awaits', noFleetText(name));
  if (desired.spec.refusal !== null) return none('awaits', `fleet ${name}: ${desired.spec.refusal}`);
  if (!state) return none('awaits', `fleet ${name} is being set up`);
  const { spec } = desired;
  const wish = combine(placement, spec.placement);
  if (!wish) return none('full', `nothing can be what both the service and the fleet ${name} ask for`);
  const idle = idleOffers(name, state, wish, isIdleOnly);
  if (isIdleOnly) return { ...none('full', `no machine of fleet ${name} is idle`), offers: idle };
  const room = roomIn(spec, state);
  if (room === 0) return { ...none('full', fullText(spec, state)), offers: idle };
  const sold = await newOffers(name, backends, wish);
  return { ...sold, offers: [...idle, ...sold.offers] };
}

/** Where machines end with what runs on them, no fleet can keep any: there, it only says what may be had. */
async function newOffers(name: string, backends: readonly Backend[], wish: Placement): Promise<Answer> {
  const mark = (offer: Offer, { capabilities }: Backend): Offer =>
    capabilities.machines ? { ...offer, fleet: name } : offer;
  const fact = await offersOfAll(backends, wish, mark);
  if (fact.kind !== 'offers') return { offers: [], kind: 'unknown', why: fact.reason };
  const isNone = fact.offers.length === 0 && name !== IDLE_POOL;
  const why = `no backend offers what both it and the fleet ${name} ask for: ${askedText({ placement: wish })}`;
  return { offers: fact.offers, kind: 'full', why: isNone ? why : '' };
}

function together(answers: readonly Answer[]): OffersFact {
  const offers = answers.flatMap((answer) => answer.offers);
  if (offers.length > 0) return { kind: 'offers', offers };
  const reasons = (kind: Answer['kind']) =>
    answers.filter((answer) => answer.kind === kind && answer.why).map(({ why }) => why);
  const unknown = reasons('unknown');
  if (unknown.length > 0) return { kind: 'unknown', reason: unknown.join('; ') };
  if (answers.some(({ kind }) => kind === 'full')) {
    const why = reasons('full');
    return { kind: 'offers', offers, ...(why.length > 0 && { why: why.join('; ') }) };
  }
  return { kind: 'awaits', reason: reasons('awaits').join('; ') };
}
