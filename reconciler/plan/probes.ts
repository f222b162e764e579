// Folds probe results into readiness. Streaks and their reset are the reference's (services.md 5.4);
// that readiness can drop again, after UNREADY_AFTER failures in a row, is ours.
import type { ProbeResult } from '../../schemas/actual.ts';
import type { ProbeSpec, ServiceSpec } from '../../schemas/desired.ts';
import type { ProbeState, Replica } from '../../schemas/rollout.ts';

/** One failed probe is noise (a long garbage collection, a full batch); three in a row are a replica that does not answer. */
export const UNREADY_AFTER = 3;

export function freshProbes(spec: ServiceSpec): ProbeState[] {
  return spec.probes.map(() => ({ streak: 0, failures: 0, detail: 'not probed yet' }));
}

/** The next state after one result; equal to `state` when nothing that matters changed. */
export function foldProbe(state: ProbeState, result: ProbeResult, spec: ProbeSpec): ProbeState {
  return result.ok
    ? { streak: Math.min(state.streak + 1, spec.readyAfter), failures: 0, detail: result.detail }
    : { streak: 0, failures: Math.min(state.failures + 1, UNREADY_AFTER), detail: result.detail };
}

export function foldProbes(
  states: readonly ProbeState[],
  results: readonly ProbeResult[],
  deployment: number,
  spec: ServiceSpec,
): ProbeState[] {
  const next = spec.probes.map((_, i) => states[i] ?? { streak: 0, failures: 0, detail: 'not probed yet' });
  for (const result of results) {
    const [state, probe] = [next[result.probe], spec.probes[result.probe]];
    if (result.deployment === deployment && state && probe)
      next[result.probe] = foldProbe(state, result, probe);
  }
  return next;
}

/** True once every probe has met its `ready_after`; with no probes, when the replica's own socket listens. */
export function meetsProbes(states: readonly ProbeState[], spec: ServiceSpec, listening: boolean): boolean {
  if (spec.probes.length === 0) return listening;
  return spec.probes.every((probe, i) => (states[i]?.streak ?? 0) >= probe.readyAfter);
}

/** Whether a replica that is ready stays so: it listens and no probe has failed UNREADY_AFTER times in a row. */
export function staysReady(states: readonly ProbeState[], spec: ServiceSpec, listening: boolean): boolean {
  if (spec.probes.length === 0) return listening;
  return states.every((state) => state.failures < UNREADY_AFTER);
}

/** One that was ready and is not, or may soon not be. */
export function isDoubtful({ phase, probes }: Replica): boolean {
  return phase === 'unready' || (phase === 'ready' && probes.some(({ failures }) => failures > 0));
}

/** The probes that should be tried on a replica now: those of `until_ready` rest once they have their streak. */
export function activeProbes(states: readonly ProbeState[], spec: ServiceSpec): number[] {
  return spec.probes.flatMap((probe, i) =>
    probe.untilReady && (states[i]?.streak ?? 0) >= probe.readyAfter ? [] : [i],
  );
}
