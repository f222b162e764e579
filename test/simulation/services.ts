// Versions of one service for simulated rollouts: each has a command of its own, and so a shape of its own.
import type { Behaviour } from '../../backends/fake/machine.ts';
import type { DesiredService, GroupSpec, ProbeSpec, RolloutPolicy } from '../../schemas/desired.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { group, service, spec } from '../plan/samples.ts';
import type { World } from './world.ts';

export const PROBE: ProbeSpec = {
  method: 'get',
  url: '/',
  headers: [],
  body: null,
  timeoutMs: 1_000,
  intervalMs: 2_000,
  readyAfter: 2,
  untilReady: false,
};

/** Revision `version` of a service of `count` replicas; its command is what differs. */
export function web(
  version: string,
  count = 2,
  policy: Partial<RolloutPolicy> = {},
  probes: readonly ProbeSpec[] = [PROBE],
): DesiredService {
  const groups: GroupSpec[] = [group({ replicas: { min: count, max: count } }, { commands: [version] })];
  const base = spec('web').policy;
  return service(
    'web',
    { commands: [version], replicas: count, probes: probes.map((p) => ({ ...p, headers: [] })) },
    { groups, probes, policy: { ...base, ...policy } },
  );
}

export const shapeOf = (desired: DesiredService) => desired.shapes['0'] ?? '';

/** How each version behaves; those not named are fine. */
export function behaving(byVersion: readonly (readonly [DesiredService, Partial<Behaviour>])[]) {
  const byShape = new Map(byVersion.map(([desired, behaviour]) => [shapeOf(desired), behaviour]));
  return (shape: string) => byShape.get(shape) ?? {};
}

export const isRunning = (deployment: number) => (state: ServiceState | null) =>
  state?.status === 'running' && state.good === deployment;

/** The shapes that clients reach now, one per routed replica. */
export async function served(world: World): Promise<string[]> {
  const state = await world.state();
  const routed = world.table()?.routes.flatMap(({ replicas }) => replicas.map(({ name }) => name)) ?? [];
  return routed.map((name) => state?.replicas.find((replica) => replica.name === name)?.shape ?? 'gone');
}
