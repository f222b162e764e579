// What a plan binds whoever approves it to: what is applied, what is asked for, and the policy it is judged by.
// Nothing live is in it (prices, replicas, time), so that it stays the same until one of these changes.
import type { Around } from '../../schemas/around.ts';
import type { DesiredService } from '../../schemas/desired.ts';
import { planDigest } from '../../schemas/identity.ts';
import type { Policy } from '../../schemas/policy.ts';

type Identity = Pick<DesiredService, 'revision' | 'shapes'>;

/** `kept`: services whose files do not parse, or that a plan leaves alone otherwise: they stay as they are applied. */
export function digestOf(
  applied: ReadonlyMap<string, Identity>,
  desired: ReadonlyMap<string, Identity>,
  kept: ReadonlySet<string>,
  policy: Policy | null,
  around: { readonly known: Around; readonly wanted: Around } = NOTHING,
): string {
  const stays = [...applied].filter(([name]) => kept.has(name) && !desired.has(name));
  const [before, after] = [specs(around.known), specs(around.wanted)];
  const isAround = Object.keys(before).length + Object.keys(after).length > 0;
  return planDigest({
    applied: identities(applied),
    desired: identities([...desired, ...stays]),
    policy,
    ...(isAround ? { around: { applied: before, desired: after } } : {}),
  });
}

// Private

function identities(services: Iterable<readonly [string, Identity]>) {
  return Object.fromEntries(
    [...services].map(([name, { revision, shapes }]) => [name, { revision, shapes }]),
  );
}

const NOTHING = { known: new Map(), wanted: new Map() };

/** Of what files declare; the pool of idle machines follows from the services. */
function specs(around: Around) {
  return Object.fromEntries(
    [...around].filter(([, { file }]) => file !== '').map(([name, { spec }]) => [name, spec]),
  );
}
