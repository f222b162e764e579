// What befalls the backends of a scenario: windows of trouble for the clouds, and machines to take away at their time.
import type { Machine } from '../../backends/fake/cloud.ts';
import type { FaultWindow } from '../../backends/fake/trouble.ts';
import type { Tags } from '../../schemas/actual.ts';
import type { Offer } from '../../schemas/offer.ts';
import { durationText } from '../../schemas/units.ts';
import type { FaultKind, FaultSpec } from './scenario/faults.ts';

/** A stretch of time in which something is wrong; as it is told and drawn. Times in ms from the beginning. */
export interface Spell {
  readonly backend: string;
  readonly kind: FaultKind;
  /** What of the backend it concerns, as ` of h100 in us-east`; '': all of it. */
  readonly about: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Machines that are taken away at one moment. */
export interface Taking {
  readonly atMs: number;
  readonly count: number;
  readonly noticeMs: number;
  readonly isVictim: (machine: Machine) => boolean;
}

/** `start`: epoch ms of the beginning; `endMs`: when all is over, from there. */
export function windowsOf(faults: readonly FaultSpec[], start: number, endMs: number): FaultWindow[] {
  return faults.flatMap((fault) => {
    const [from, to] = boundsOf(fault, endMs);
    const window = windowOf(fault);
    return window === null ? [] : [{ ...CALM, from: start + from, to: start + to, ...window }];
  });
}

/** How many times as long what is ordered at `nowMs` takes to boot and pull. */
export function slownessAt(faults: readonly FaultSpec[], nowMs: number, endMs: number): number {
  return faults.reduce((factor, fault) => {
    const [from, to] = boundsOf(fault, endMs);
    return fault.kind === 'slow' && from <= nowMs && nowMs < to ? factor * (fault.times ?? 1) : factor;
  }, 1);
}

export function takingsOf(faults: readonly FaultSpec[], endMs: number): Taking[] {
  return faults.flatMap((fault) => {
    if (fault.kind !== 'instance-lost' && fault.kind !== 'interruption') return [];
    const [from, to] = boundsOf(fault, endMs);
    const every = fault.every == null ? Number.POSITIVE_INFINITY : Math.max(1_000, fault.every);
    const times = every === Number.POSITIVE_INFINITY ? 1 : Math.ceil((to - from) / every);
    return Array.from({ length: times }, (_, index) => ({
      atMs: from + (index === 0 ? 0 : index * every),
      count: fault.count ?? 1,
      noticeMs: fault.kind === 'interruption' ? (fault.notice ?? 0) : 0,
      isVictim: victimOf(fault),
    }));
  });
}

export function spellsOf(backend: string, faults: readonly FaultSpec[], endMs: number): Spell[] {
  return faults.map((fault) => {
    const [fromMs, toMs] = boundsOf(fault, endMs);
    return { backend, kind: fault.kind, about: aboutText(fault), fromMs, toMs };
  });
}

// Private

/** ` of h100 in us-east, spot`, ` (create, terminate; 30% of calls)`. */
function aboutText(fault: FaultSpec): string {
  switch (fault.kind) {
    case 'no-capacity':
    case 'quota':
      return whichText(fault);
    case 'api-errors':
    case 'rate-limited':
      return callsText(fault);
    case 'slow':
      return callsText(fault, [
        ...(fault.by == null ? [] : [`${fault.by / 1000} s longer`]),
        ...(fault.times == null ? [] : [`machines take ${fault.times} times as long`]),
      ]);
    case 'instance-lost':
    case 'interruption':
      return victimText(fault);
    case 'unauthorized':
    case 'partition':
      return '';
  }
}

function whichText({ instance, region, spot }: Which): string {
  const [of, where] = [instance == null ? '' : ` of ${instance}`, region == null ? '' : ` in ${region}`];
  return `${of}${where}${spot == null ? '' : spot ? ', spot' : ', on-demand'}`;
}

function callsText(
  fault: Pick<FaultSpec & { kind: 'slow' }, 'operations' | 'rate'>,
  more: readonly string[] = [],
): string {
  const { operations, rate } = fault;
  const parts = [
    ...(operations == null ? [] : [operations.join(', ')]),
    ...(rate == null || rate === 1 ? [] : [`${Math.round(rate * 100)}% of calls`]),
    ...more,
  ];
  return parts.length > 0 ? ` (${parts.join('; ')})` : '';
}

function victimText(fault: FaultSpec & { kind: 'instance-lost' | 'interruption' }): string {
  const { replica, service, count, every } = fault;
  const whose = replica ?? service;
  return [
    whose == null ? '' : ` of ${whose}`,
    whichText(fault),
    count == null || count === 1 ? '' : `, ${count} at a time`,
    every == null ? '' : `, every ${durationText(every / 1000)}`,
  ].join('');
}

const CALM: Omit<FaultWindow, 'from' | 'to' | 'kind'> = {
  operations: null,
  probability: 1,
  effect: 'before',
  concerns: null,
  callMs: 0,
  retryAfterMs: 10_000,
  isHidden: false,
};

/** What takes machines away once needs no end. */
function boundsOf(
  { from, at, to, for: length, ...fault }: FaultSpec,
  endMs: number,
): readonly [number, number] {
  const begin = from ?? at ?? 0;
  const isOnce = (fault.kind === 'instance-lost' || fault.kind === 'interruption') && fault.every == null;
  const end = to ?? (length == null ? (isOnce ? begin : endMs) : begin + length);
  return [begin, Math.max(begin, end)];
}

function windowOf(fault: FaultSpec): (Pick<FaultWindow, 'kind'> & Partial<FaultWindow>) | null {
  switch (fault.kind) {
    case 'no-capacity':
    case 'quota':
      return {
        kind: fault.kind,
        operations: ['create'],
        concerns: concernsOf(fault),
        isHidden: fault.hidden ?? false,
      };
    case 'api-errors':
      return { kind: 'transient', ...callsOf(fault), effect: fault.effect ?? 'either' };
    case 'rate-limited':
      return { kind: 'rate-limited', ...callsOf(fault), retryAfterMs: fault.retry_after ?? 10_000 };
    case 'slow':
      return { kind: 'slow', ...callsOf(fault), callMs: fault.by ?? 3_000 };
    case 'unauthorized':
    case 'partition':
      return { kind: fault.kind };
    case 'instance-lost':
    case 'interruption':
      return null;
  }
}

function callsOf({ operations, rate }: Pick<FaultSpec & { kind: 'slow' }, 'operations' | 'rate'>) {
  return { operations: operations ?? null, probability: rate ?? 1 };
}

interface Which {
  readonly instance?: string | null | undefined;
  readonly region?: string | null | undefined;
  readonly spot?: boolean | null | undefined;
}

function concernsOf({ instance, region, spot }: Which): (offer: Offer) => boolean {
  return (offer) =>
    (instance ?? offer.instance) === offer.instance &&
    (region ?? offer.region) === offer.region &&
    (spot ?? offer.spot) === offer.spot;
}

function victimOf(fault: FaultSpec & { kind: 'instance-lost' | 'interruption' }): Taking['isVictim'] {
  const concerns = concernsOf(fault.kind === 'interruption' ? { ...fault, spot: true } : fault);
  const isMeant = ({ replica, service }: Pick<Tags, 'replica' | 'service'>) =>
    (fault.replica ?? replica) === replica && (fault.service ?? service) === service;
  // A machine of a fleet is known by its own name, and by what runs on it.
  return ({ offer, tags, runs }) => concerns(offer) && (isMeant(tags) || (runs !== null && isMeant(runs)));
}
