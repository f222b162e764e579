// One fleet driven through its decisions: a cloud that does what it is told, as far as a test lets it, and guests that ask,
// use and leave. Nothing runs, and time passes only when it is told to. Each decision is judged (`fleet-rules.ts`).
import { satisfies } from '../../reconciler/plan/fits.ts';
import { decideFleet, type FleetDecision, type FleetStep } from '../../reconciler/plan/fleet/decide.ts';
import type { FleetActual, FleetInput, GuestFact } from '../../reconciler/plan/fleet/facts.ts';
import { foldMachine, foldMachineFailure } from '../../reconciler/plan/fleet/outcome.ts';
import type { Instance, ProcessStatus, ReplicaFact } from '../../schemas/actual.ts';
import { Failure, type FailureKind } from '../../schemas/errors.ts';
import type { DesiredFleet, FleetSpec, FleetState, Machine } from '../../schemas/fleet.ts';
import { IDLE_POOL_SPEC } from '../../schemas/fleet-spec.ts';
import type { Offer } from '../../schemas/offer.ts';
import { judgeFleet } from './fleet-rules.ts';
import { LOCAL } from './samples.ts';

export const START = Date.parse('2026-01-01T00:00:00Z');
const BOOT_MS = 30_000;

export const SMALL: Offer = { ...LOCAL, backend: 'cloud', region: 'here', instance: 'small', price: 1 };
export const LARGE: Offer = { ...SMALL, instance: 'large', price: 2 };

export interface FleetDrive {
  now(): number;
  state(): FleetState | null;
  /** All events so far, as `<event> <reason>`. */
  readonly events: readonly string[];
  /** Each machine: `pool-m1 ready web-1`. */
  machines(): string[];
  /** Whose machines there are, by the cloud. */
  there(): string[];
  /** `<reason> <detail>` of each. */
  waiting(): string[];
  /** What the fleet's file says from now on; null: it is gone. */
  commit(change: Partial<FleetSpec> | null, problems?: DesiredFleet['problems']): void;
  /** A replica (`web-1`) asks for a machine. */
  ask(replica: string, more?: Partial<GuestFact>): void;
  isGuest(replica: string): boolean;
  /** Why it got none; null: it did, or waits. */
  refusal(replica: string): string | null;
  /** It has its machine, and runs there. */
  use(replica: string): void;
  /** Its process has ended, and it gives its machine back. */
  leave(replica: string): void;
  /** It gives its machine back while its process goes on. */
  giveBack(replica: string): void;
  /** Its service's record has it no more, whatever runs. */
  forget(replica: string): void;
  /** What the cloud sells from now on. */
  sell(...offers: readonly Offer[]): void;
  /** What is asked of the cloud fails; null: nothing does. */
  refuse(kind: FailureKind | null, more?: { readonly instance?: string; readonly isDone?: boolean }): void;
  /** Processes do not end, however often they are told. */
  stubborn(is: boolean): void;
  blind(is: boolean): void;
  lose(machine: string): void;
  notice(machine: string): void;
  isTaken(machine: string): boolean;
  /** Somebody runs something there. */
  occupy(machine: string): void;
  /** The database is lost: nothing is known but what the tags say. */
  forgetAll(): void;
  /** Lets time pass, looking as often as the decision asks for. */
  pass(ms: number): void;
  /** Nobody looks for so long. */
  away(ms: number): void;
}

interface There extends Instance {
  readonly bootAt: number;
  readonly offer: Offer;
  process: ProcessStatus;
  isTaken: boolean;
}

interface Refused {
  readonly kind: FailureKind;
  /** Absent: all. */
  readonly instance?: string;
  /** Only the answer is lost. */
  readonly isDone?: boolean;
}

export function driveFleet(first: Partial<FleetSpec>, name = 'pool'): FleetDrive {
  const there = new Map<string, There>();
  const guests = new Map<string, GuestFact>();
  const events: string[] = [];
  let offers: readonly Offer[] = [SMALL];
  let refused: Refused | null = null;
  let isStubborn = false;
  let isBlind = false;
  let wasLost = false;
  let now = START;
  let state: FleetState | null = null;
  let desired: DesiredFleet | null = desiredOf({ ...IDLE_POOL_SPEC, name, idleMs: 3_600_000, ...first });

  function desiredOf(spec: FleetSpec, problems: DesiredFleet['problems'] = []): DesiredFleet {
    return { file: 'pool.dstack.yml', commit: 'c0ffee', spec, problems };
  }

  function observed(): FleetActual {
    const machines = (state?.machines ?? []).map((machine) => [machine.name, factOf(machine)] as const);
    return {
      found: state || isBlind ? (state ? [] : null) : [...there.values()],
      machines: Object.fromEntries(machines),
      offers: isBlind
        ? { kind: 'unknown', reason: 'no answer' }
        : { kind: 'offers', offers: offers.filter(isSold) },
      guests: [...guests.values()],
    };
  }

  function isSold(offer: Offer): boolean {
    return desired !== null && satisfies(offer, desired.spec.placement);
  }

  function factOf(machine: Machine): ReplicaFact {
    if (isBlind) return { kind: 'unknown', reason: 'no answer' };
    const instance = there.get(machine.name);
    if (!instance) return { kind: 'missing' };
    const status = instance.isTaken ? 'stopping' : now < instance.bootAt ? 'provisioning' : 'running';
    return { kind: 'present', instance: { ...instance, status }, process: instance.process };
  }

  function make(machine: Machine): There {
    const { offer } = machine;
    const known = there.get(machine.name);
    if (known) return known;
    const made: There = {
      id: `${machine.name}-id`,
      backend: offer.backend,
      region: offer.region,
      instance: offer.instance,
      status: 'provisioning',
      tags: { ...TAGS, service: `fleet:${name}`, replica: machine.name, attempt: machine.attempt },
      pricePerHour: offer.price,
      createdAt: now,
      bootAt: now + BOOT_MS,
      offer,
      process: ABSENT,
      isTaken: false,
    };
    there.set(machine.name, made);
    return made;
  }

  function obey(step: FleetStep): void {
    const machine = state?.machines.find((each) => each.name === step.machine);
    if (!state || !machine) throw new Error(`${step.id} is of no machine`);
    const failure =
      refused && (refused.instance ?? machine.offer.instance) === machine.offer.instance
        ? new Failure(refused.kind, `${step.kind}: ${refused.kind}`)
        : null;
    if (!failure || refused?.isDone) carryOut(step, machine);
    const instance = there.get(machine.name);
    const part = failure
      ? foldMachineFailure(state, step, failure, now)
      : instance && step.kind === 'create'
        ? foldMachine(state, machine.name, instance)
        : { state, events: [] };
    state = part.state;
    events.push(...part.events.map(({ event, reason }) => `${event} ${reason}`));
  }

  function carryOut({ kind, of }: FleetStep, machine: Machine): void {
    const instance = there.get(machine.name);
    if (kind === 'create') make(machine);
    if (kind === 'terminate') there.delete(machine.name);
    const runs = instance?.process.kind === 'absent' ? undefined : instance?.process.of;
    const isMeant = !of || of.replica === runs?.replica;
    if (kind === 'clear' && instance && isMeant && !isStubborn) instance.process = ABSENT;
  }

  function decideOnce(): FleetDecision {
    const input: FleetInput = { project: 'main', fleet: name, desired, state, actual: observed(), now };
    const decision = decideFleet(input);
    judgeFleet(input, decision);
    state = decision.state;
    for (const step of decision.steps) obey(step);
    judgeCloud();
    events.push(...decision.events.map(({ event, reason }) => `${event} ${reason}`));
    return decision;
  }

  /** What there is, is on record, but for a moment after that was lost. What nobody declares, the sweeper ends. */
  function judgeCloud(): void {
    if (state === null && desired) return;
    if (state === null && wasLost) there.clear();
    wasLost = false;
    const known = new Set(state?.machines.map((machine) => machine.name));
    for (const machine of there.keys()) if (!known.has(machine)) throw new Error(`${machine} is leaked`);
  }

  /** Looks again at once where something was done and has shown, or a guest has left; else when the decision says. */
  function settle(): number {
    for (let round = 0; round < 60; round++) {
      const before = JSON.stringify([state?.machines, state?.refusals, guests.size]);
      const { wakeAt, steps } = decideOnce();
      const isDone = steps.length === 0 && !noteGuests();
      if (isDone || JSON.stringify([state?.machines, state?.refusals, guests.size]) === before) return wakeAt;
    }
    throw new Error(`it does not come to rest: ${JSON.stringify(state?.machines)}`);
  }

  /** Who has no machine any more is gone from its service's record: the fleet has taken it back, or it was lost. */
  function noteGuests(): boolean {
    const gone = [...guests].filter(
      ([replica, { wish }]) => wish !== 'asking' && machineOf(replica) === undefined,
    );
    for (const [replica] of gone) guests.delete(replica);
    return gone.length > 0;
  }

  function machineOf(replica: string): Machine | undefined {
    return state?.machines.find(({ guest }) => guest?.replica === replica);
  }

  /** Nobody uses what is not there yet. */
  function wish(replica: string, is: GuestFact['wish'], process?: Process): void {
    const guest = guests.get(replica);
    const machine = machineOf(replica);
    const instance = machine && there.get(machine.name);
    const isBooting = !instance || (now < instance.bootAt && !instance.isTaken);
    if (!guest || (is === 'staying' && isBooting)) return;
    guests.set(replica, { ...guest, wish: is });
    const of = { replica, attempt: guest.attempt };
    if (instance && process && !isBooting) instance.process = { ...process, of };
  }

  return {
    now: () => now,
    state: () => state,
    events,
    machines: () => (state?.machines ?? []).map(textOf),
    there: () => [...there.keys()].toSorted(),
    waiting: () => (state?.waiting ?? []).map(({ reason, detail }) => `${reason} ${detail}`),
    commit(change, problems) {
      const spec = desired?.spec ?? { ...IDLE_POOL_SPEC, name, idleMs: 3_600_000, ...first };
      desired = change && desiredOf({ ...spec, ...change }, problems);
    },
    ask(replica, more = {}) {
      const service = replica.slice(0, replica.lastIndexOf('-'));
      const asked: GuestFact = {
        service,
        replica,
        attempt: 1,
        offer: { ...SMALL, fleet: name },
        wish: 'asking',
        keepMs: 300_000,
        priority: 0,
        since: now,
      };
      guests.set(replica, { ...asked, ...more });
    },
    isGuest: (replica) => guests.has(replica),
    refusal: (replica) => state?.refusals.find((each) => each.replica === replica)?.message ?? null,
    use: (replica) => wish(replica, 'staying', RUNNING),
    leave: (replica) => wish(replica, 'done', EXITED),
    giveBack: (replica) => wish(replica, 'done'),
    forget: (replica) => void guests.delete(replica),
    sell: (...sold) => {
      offers = sold;
    },
    refuse(kind, more = {}) {
      refused = kind && { kind, ...more };
    },
    stubborn: (is) => {
      isStubborn = is;
    },
    blind: (is) => {
      isBlind = is;
    },
    lose: (machine) => void there.delete(machine),
    notice(machine) {
      const instance = there.get(machine);
      if (instance) instance.isTaken = true;
    },
    isTaken: (machine) => there.get(machine)?.isTaken ?? false,
    occupy(machine) {
      const instance = there.get(machine);
      const of = { replica: 'stranger-1', attempt: 1 };
      if (instance && now >= instance.bootAt) instance.process = { ...RUNNING, of };
    },
    forgetAll() {
      state = null;
      wasLost = true;
      guests.clear();
    },
    pass(ms) {
      const end = now + ms;
      for (;;) {
        const wakeAt = settle();
        if (now >= end) return;
        const boots = [...there.values()].map(({ bootAt }) => bootAt).filter((at) => at > now);
        now = Math.min(end, Math.max(now + 1, Math.min(wakeAt, ...boots)));
      }
    },
    away: (ms) => {
      now += ms;
    },
  };
}

// Private

const TAGS: Instance['tags'] = {
  owner: 'me',
  project: 'main',
  service: '',
  group: '',
  replica: '',
  attempt: 1,
  shape: '',
  deployment: 0,
};
const ABSENT = { kind: 'absent' } as const;
type Process = Exclude<ProcessStatus, typeof ABSENT>;
const RUNNING: Process = {
  kind: 'running',
  startedAt: START,
  listening: true,
  endpoint: { kind: 'tcp', host: '10.0.0.1', port: 1 },
  detail: '',
};
const EXITED: Process = { kind: 'exited', code: 0, signal: null, at: START, detail: '', log: [] };

function textOf({ name, phase, guest }: Machine): string {
  return `${name} ${phase}${guest ? ` ${guest.replica}` : ''}`;
}
