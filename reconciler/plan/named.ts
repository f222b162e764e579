// What services name of what is around them, who of them waits for it, and whose machines hold which volume.
import type { DesiredRecord, GroupSpec, ServiceSpec } from '../../schemas/desired.ts';
import { nameAround } from '../../schemas/keys.ts';
import type { ServiceState, Waiting, WaitingReason } from '../../schemas/rollout.ts';
import { targetOf } from './deployments.ts';
import { fleetsAsked } from './fleet/asked.ts';
import { isNetworkVolume, namesOf, volumesOf } from './mounts.ts';

/** One service as the store has it. */
export interface Naming {
  readonly name: string;
  readonly record: DesiredRecord | null;
  readonly state: ServiceState | null;
}

export interface User {
  readonly name: string;
  /** It cannot have, or does not have yet, what it asks of it. */
  readonly waits: boolean;
}

/** Who names what, by the names of keys (`fleet:pool`). */
export function usersOf(services: readonly Naming[]): ReadonlyMap<string, readonly User[]> {
  const users = new Map<string, User[]>();
  for (const service of services) {
    for (const [key, waits] of namedBy(service))
      users.set(key, [...(users.get(key) ?? []), { name: service.name, waits }]);
  }
  return users;
}

/** Replicas whose machines hold a volume, by its name. */
export function holdersOf(
  services: readonly Naming[],
): ReadonlyMap<string, readonly { readonly service: string; readonly replica: string }[]> {
  const held = services.flatMap(({ name: service, state }) =>
    (state?.replicas ?? []).flatMap((replica) =>
      volumesOf(replica).map((volume) => ({ volume, service, replica: replica.name })),
    ),
  );
  return Map.groupBy(held, ({ volume }) => volume);
}

/** What a group asks for around it, as names of keys. */
export function namesAround({ placement, process }: GroupSpec, spec: ServiceSpec): readonly string[] {
  const volumes = process.volumes.filter(isNetworkVolume).flatMap(namesOf);
  return [
    ...(fleetsAsked(placement, spec) ?? []).map((fleet) => nameAround('fleet', fleet)),
    ...[...new Set(volumes)].map((volume) => nameAround('volume', volume)),
  ];
}

/** What would end a reason to wait that lies with a fleet or volume, and who tells more; null: it does not. */
export function lyingAround(
  { reason, subject }: Waiting,
  state: ServiceState,
  known: ReadonlySet<string>,
): string | null {
  const names = askedBy(subject, reason, state).filter((name) => known.has(name));
  const [first] = names;
  if (!first) return null;
  const end = LIES_AROUND.has(reason)
    ? `Once ${names.join(' or ')} has what it asks for, it goes on.`
    : `Once ${first} has given it a machine, its process starts.`;
  return `${end} ${names.map((name) => `\`trueup why ${name}\``).join(', ')} tells what that waits for and who has it.`;
}

// Private

/** Reasons of a group that may lie with what it names. */
const LIES_AROUND: ReadonlySet<WaitingReason> = new Set(['dependency', 'capacity', 'cannot-surge']);

/** Of a group, or of a replica that a fleet gives its machine. */
function askedBy(subject: string, reason: WaitingReason, state: ServiceState): readonly string[] {
  if (reason === 'instance') {
    const fleet = state.replicas.find(({ name }) => name === subject)?.offer.fleet;
    return fleet ? [nameAround('fleet', fleet)] : [];
  }
  const spec = targetOf(state)?.spec;
  const group = spec?.groups.find(({ name }) => name === subject);
  return LIES_AROUND.has(reason) && spec && group ? namesAround(group, spec) : [];
}

function namedBy({ record, state }: Naming): ReadonlyMap<string, boolean> {
  const named = new Map<string, boolean>();
  const note = (key: string, waits: boolean) => named.set(key, waits || named.get(key) === true);
  const wished = record?.removed ? undefined : record?.service?.spec;
  for (const spec of [wished, state ? targetOf(state)?.spec : undefined]) {
    for (const group of spec?.groups ?? []) {
      const isShort = state?.waiting.some(
        ({ reason, subject }) => LIES_AROUND.has(reason) && subject === group.name,
      );
      for (const key of spec ? namesAround(group, spec) : []) note(key, isShort === true);
    }
  }
  for (const { offer, phase } of state?.replicas ?? []) {
    if (offer.fleet) note(nameAround('fleet', offer.fleet), phase === 'creating');
    for (const volume of volumesOf({ offer })) note(nameAround('volume', volume), false);
  }
  return named;
}
