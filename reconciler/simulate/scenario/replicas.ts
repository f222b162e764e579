// How the replicas of a service go, in a scenario: for all of them, or for those of one commit, group or number.
import { z } from 'zod';
import { type Field, object } from '../../../schemas/fields.ts';
import { about, named } from '../../../schemas/spelling.ts';
import { bool, integer, text } from '../../../schemas/values.ts';
import { chance, span, spanOrNever, time } from './values.ts';

export const behaviour = named(
  'behaviour',
  'How a process goes. All of it is optional; what is not said here is taken from a less exact entry, then from the defaults.',
  object({
    pull: about(span.nullish(), 'How long its image takes; else as the backend says.', '3m'),
    start: about(
      spanOrNever.nullish(),
      'From its start until its port is open. `never`: it stays closed.',
      '20s..40s',
      '2s',
    ),
    ready: about(
      spanOrNever.nullish(),
      'From then until its probes succeed. `never`: they do not. Without probes in the service file its port opens so much later.',
      '30s',
      '0s',
    ),
    never_ready: about(bool.nullish(), 'The same as `ready: never`.', true, false),
    crash_after: about(spanOrNever.nullish(), 'From its start until it exits by itself.', '40s', 'never'),
    exit: about(integer(0, 255).nullish(), 'Its exit code then.', 137, 1),
    flaps: about(
      object({
        every: about(time, 'From one time to the next.', '2m'),
        for: about(time, 'How long each lasts.', '20s'),
      }).nullish(),
      'Again and again it is not ready for a while.',
      { every: '2m', for: '20s' },
    ),
    unhealthy_after: about(
      spanOrNever.nullish(),
      'From when it was first ready until its probes fail for good.',
      '10m',
      'never',
    ),
    stop: about(
      spanOrNever.nullish(),
      'From SIGTERM until it ends. `never`: only SIGKILL ends it.',
      '5s',
      '1s',
    ),
    gpu_use: about(
      chance.nullish(),
      'How busy its GPUs are, for `utilization_policy`. Without it, and `idle_after`, nobody can tell.',
      '80%',
    ),
    idle_after: about(
      spanOrNever.nullish(),
      'From its start until its GPUs have nothing to do any more; until then they have as much as `gpu_use` says, else all they can.',
      '30m',
    ),
    prints: about(z.array(text).nullish(), 'What it prints when it starts.', ['CUDA out of memory']),
    contains: about(
      text.nullish(),
      'Only where the service file, as it was in the commit, contains this text.',
      'vllm==0.9',
    ),
  }),
);

export type BehaviourShape = z.output<typeof behaviour>;

/** Which replicas an entry is for: `service[/group][@commit][#number]`. */
export interface Selector {
  /** '*': any. */
  readonly service: string;
  readonly group: string | null;
  /** A commit's number (from 1) or name, or the beginning of a revision. */
  readonly commit: string | null;
  readonly number: number | null;
}

/** One entry: whom it is for, and what it says. */
export interface BehaviourRule {
  readonly key: string;
  readonly selector: Selector;
  readonly shape: BehaviourShape;
}

const SELECTOR = /^(\*|[\w.-]+)(?:\/([\w.-]+))?(?:@([\w.-]+))?(?:#(\d{1,9}))?$/;

/** null: it cannot be read. */
export function parseSelector(key: string): Selector | null {
  const [whole, service = '', group = null, commit = null, number] = SELECTOR.exec(key) ?? [];
  return whole === undefined
    ? null
    : { service, group, commit, number: number === undefined ? null : Number(number) };
}

/** The more is said of whom, the more exact. */
export function exactness({ service, group, commit, number }: Selector): number {
  return (
    (number === null ? 0 : 8) +
    (commit === null ? 0 : 4) +
    (group === null ? 0 : 2) +
    (service === '*' ? 0 : 1)
  );
}

export const replicas: Field<{ [selector: string]: BehaviourShape }> = z.record(z.string(), behaviour);
