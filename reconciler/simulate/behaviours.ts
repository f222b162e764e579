// How each replica of a scenario goes: the entries that fit its service, group, number and the commit it is made of.

import type { ProcessRequest } from '../../backends/backend.ts';
import { type Behaviour, type Flaps, isFlapped } from '../../backends/fake/machine.ts';
import { createRandom } from '../../backends/fake/random.ts';
import type { DesiredService } from '../../schemas/desired.ts';
import type { BehaviourRule, BehaviourShape, Selector } from './scenario/replicas.ts';
import { NEVER, type Span } from './scenario/values.ts';

/** What one commit asks for of one service. */
export interface Edition {
  readonly commit: { readonly number: number; readonly name: string | null };
  readonly service: DesiredService;
  /** Of its file. */
  readonly text: string;
}

export interface BehaviourOptions {
  readonly seed: number;
  readonly rules: readonly BehaviourRule[];
  /** In the order of the commits. */
  readonly editions: readonly Edition[];
  /** The number of the newest commit now: what comes later is not known to anybody. */
  readonly newest: () => number;
}

/** Whose process it is. */
type Owner = ProcessRequest['replica'];

/** `pullMs`: as its backend has it. */
export type BehaviourOf = (owner: Owner, pullMs: number) => Partial<Behaviour>;

export function behavioursOf({ seed, rules, editions, newest }: BehaviourOptions): BehaviourOf {
  const draw = drawFrom(seed);
  return (owner, pullMs) => {
    const mine = editions.filter(({ commit, service }) => commit.number <= newest() && isOf(service, owner));
    const fitting = rules.filter(({ selector, shape }) => fits(selector, shape, owner, mine));
    const shape: BehaviourShape = Object.assign({}, ...fitting.map((rule) => written(rule.shape)));
    const hasProbes = (mine.at(-1)?.service.spec.probes.length ?? 0) > 0;
    return processOf(shape, pullMs, hasProbes, (what, span) => draw(`${owner.replica} ${what}`, span));
  };
}

/** A number of the span, the same for the same name. */
export function drawFrom(seed: number): (name: string, span: Span) => number {
  return (name, [first, last]) => {
    if (first === last) return first;
    const mixed = [...name].reduce(
      (sum, letter) => Math.imul(sum ^ letter.charCodeAt(0), 0x01000193),
      seed | 0,
    );
    return first + Math.round((last - first) * createRandom(mixed)());
  };
}

/** By the number or the name of the commit, or the beginning of the revision. */
export function isNamed({ commit, service }: Edition, name: string): boolean {
  if (name === commit.name || name === String(commit.number)) return true;
  return name.length >= 4 && service.revision.startsWith(name);
}

// Private

function isOf({ name, shapes }: DesiredService, { service, group, shape }: Owner): boolean {
  return name === service && shapes[group] === shape;
}

function fits(
  selector: Selector,
  { contains }: BehaviourShape,
  owner: Owner,
  mine: readonly Edition[],
): boolean {
  const { service, group, commit, number } = selector;
  return (
    (service === '*' || service === owner.service) &&
    (group === null || group === owner.group) &&
    (number === null || owner.replica === `${owner.service}-${number}`) &&
    (commit === null || mine.some((edition) => isNamed(edition, commit))) &&
    (contains == null || mine.some(({ text }) => text.includes(contains)))
  );
}

function written(shape: BehaviourShape): Partial<BehaviourShape> {
  return Object.fromEntries(Object.entries(shape).filter(([, value]) => value != null));
}

/** Readiness is what its probes say; where there are none, whether its port is open. */
function processOf(
  shape: BehaviourShape,
  backendPullMs: number,
  hasProbes: boolean,
  draw: (what: string, span: Span) => number,
): Partial<Behaviour> {
  const drawn = (what: string, span: Span | typeof NEVER | null | undefined, unset: number | null) =>
    span == null ? unset : span === NEVER ? null : draw(what, span);
  const startMs = drawn('start', shape.start, 2_000);
  const readyMs = shape.never_ready ? null : drawn('ready', shape.ready, 0);
  const readiness: Readiness = {
    readyMs,
    sickMs: drawn('unhealthy', shape.unhealthy_after, null),
    flaps: shape.flaps ? { everyMs: Math.max(1, shape.flaps.every), forMs: shape.flaps.for } : null,
  };
  const readyAtMs = startMs === null || readyMs === null ? null : startMs + readyMs;
  return {
    pullMs: draw('pull', shape.pull ?? [backendPullMs, backendPullMs]),
    exitsAfterMs: drawn('crash', shape.crash_after, null),
    exitCode: shape.exit ?? 1,
    stopsAfterMs: drawn('stop', shape.stop, 1_000),
    gpus: gpusOf(shape.gpu_use, drawn('idle', shape.idle_after, null)),
    prints: () => shape.prints ?? [],
    ...(hasProbes
      ? { startMs, healthy: (listeningMs) => isReady(readiness, listeningMs) }
      : { startMs: readyAtMs, closes: closingOf(readiness) }),
  };
}

/** One stands for all: they are alike. */
function gpusOf(use: number | null | undefined, idleMs: number | null): Behaviour['gpus'] {
  if (use == null && idleMs === null) return null;
  return (runningMs) => [idleMs !== null && runningMs >= idleMs ? 0 : 100 * (use ?? 1)];
}

interface Readiness {
  /** From when its port opened; null: never. */
  readonly readyMs: number | null;
  /** From when it was ready; null: it stays well. */
  readonly sickMs: number | null;
  readonly flaps: Flaps | null;
}

function isReady({ readyMs, sickMs, flaps }: Readiness, listeningMs: number): boolean {
  const sinceMs = readyMs === null ? -1 : listeningMs - readyMs;
  if (sinceMs < 0 || (sickMs !== null && sinceMs >= sickMs)) return false;
  return flaps === null || !isFlapped(flaps, sinceMs);
}

/** The port of what has no probes closes for a while, or for good. */
function closingOf({ sickMs, flaps }: Readiness): Flaps | null {
  return sickMs === null ? flaps : { everyMs: Math.max(1, sickMs), forMs: Number.MAX_SAFE_INTEGER };
}
