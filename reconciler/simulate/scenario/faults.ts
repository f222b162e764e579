// What may befall a backend in a scenario: trouble with its API for a while, and machines that are taken away.
import { z } from 'zod';
import { byTag, type Field, object, shorthand, withRules } from '../../../schemas/fields.ts';
import { about, named, type Spelling } from '../../../schemas/spelling.ts';
import { bool, choice, integer, number, text } from '../../../schemas/values.ts';
import { isMapping, type Yaml } from '../../../schemas/yaml-value.ts';
import { chance, time } from './values.ts';
import { checkWindow, window } from './window.ts';

export const OPERATIONS = [
  'offers',
  'create',
  'get',
  'list',
  'terminate',
  'run',
  'status',
  'stop',
  'clear',
] as const;

const which = {
  instance: about(text.nullish(), 'Only instances of this type.', 'h100'),
  region: about(text.nullish(), 'Only those of this region.', 'us-east'),
  spot: about(bool.nullish(), 'Only spot instances, or only others.', true),
};

const calls = {
  operations: about(z.array(choice(OPERATIONS)).nullish(), 'Only these calls.', ['create', 'terminate']),
  rate: about(chance.nullish(), 'How many of the calls it hits.', '30%', '100%'),
};

const victims = {
  replica: about(text.nullish(), 'Only the machine of this replica.', 'web-2'),
  service: about(text.nullish(), 'Only machines of this service.', 'web'),
  count: about(integer(1, 1_000_000).nullish(), 'How many at a time, chosen by the seed.', 2, 1),
  every: about(time.nullish(), 'Again and again within the window.', '10m'),
};

const kind = <K extends string>(name: K) => about(choice([name]), 'What goes wrong.', name);
const hidden = about(bool.nullish(), 'Offers do not tell; only ordering finds out.', true, false);

const KINDS = {
  'no-capacity': named(
    'no-capacity',
    'There is nothing left to be had.',
    object({ kind: kind('no-capacity'), ...window, ...which, hidden }),
  ),
  quota: named(
    'quota',
    'The quota of the account is used up.',
    object({ kind: kind('quota'), ...window, ...which, hidden }),
  ),
  'api-errors': named(
    'api-errors',
    'Calls fail with an internal error.',
    object({
      kind: kind('api-errors'),
      ...window,
      ...calls,
      effect: about(
        choice(['before', 'after', 'either']).nullish(),
        'Whether the cloud did what it was asked `before` it failed to say so: with `after` only the answer is lost.',
        'after',
        'either',
      ),
    }),
  ),
  'rate-limited': named(
    'rate-limited',
    'Calls are refused, with a time to come back.',
    object({
      kind: kind('rate-limited'),
      ...window,
      ...calls,
      retry_after: about(time.nullish(), 'That time.', '30s', '10s'),
    }),
  ),
  unauthorized: named(
    'unauthorized',
    'The credentials are refused.',
    object({ kind: kind('unauthorized'), ...window }),
  ),
  slow: named(
    'slow',
    'Everything takes longer.',
    object({
      kind: kind('slow'),
      ...window,
      ...calls,
      by: about(time.nullish(), 'How much longer a call takes.', '8s', '3s'),
      times: about(
        number(1, 1000).nullish(),
        'How many times as long instances take to boot and pull that are ordered then.',
        3,
        1,
      ),
    }),
  ),
  partition: named(
    'partition',
    'The reconciler cannot reach the backend, nor what runs there. Clients can.',
    object({ kind: kind('partition'), ...window }),
  ),
  'instance-lost': named(
    'instance-lost',
    'Machines are gone, without a word.',
    object({ kind: kind('instance-lost'), ...window, ...which, ...victims }),
  ),
  interruption: named(
    'interruption',
    'Spot machines are taken away.',
    object({
      kind: kind('interruption'),
      ...window,
      instance: which.instance,
      region: which.region,
      ...victims,
      notice: about(time.nullish(), 'They are told so long before.', '30s', '0s'),
    }),
  ),
};

export const FAULTS: { readonly [kind: string]: Field<object> } = KINDS;

type FaultShape = z.output<(typeof KINDS)[keyof typeof KINDS]>;
export type FaultKind = FaultShape['kind'];
export type FaultSpec = FaultShape;

const SPELLING: Spelling = Object.values(KINDS);

/** `api_errors` is `api-errors`: nobody remembers which. */
export const fault: Field<FaultSpec> = named(
  'fault',
  'What goes wrong with a backend. Which fields there are depends on `kind`.',
  withRules(
    shorthand(
      hyphenated,
      byTag<FaultSpec>('kind', KINDS as { readonly [kind: string]: Field<FaultSpec> }),
      SPELLING,
    ),
    checkWindow,
  ),
) as Field<FaultSpec>;

// Private

function hyphenated(value: Yaml): Yaml {
  if (!isMapping(value) || typeof value.kind !== 'string') return value;
  return { ...value, kind: value.kind.replaceAll('_', '-') };
}
