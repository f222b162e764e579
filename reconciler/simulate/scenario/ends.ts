// When everything that is written happens, and that it does so before the end: what comes after would be passed over.
import type { Say } from '../../../schemas/fields.ts';
import { EVERY_STEP, type ScenarioShape } from './schema.ts';

/** After the last thing that is written to happen: time for a rollout to end. */
const AFTERMATH_MS = 900_000;

/** Ms from the beginning. */
export function endOf(shape: ScenarioShape): number {
  return shape.duration ?? Math.max(0, ...happenings(shape).map(({ toMs }) => toMs)) + AFTERMATH_MS;
}

export function checkEnds(shape: ScenarioShape, say: Say): void {
  const endMs = endOf(shape);
  for (const { what, path, fromMs, mayBeLast } of happenings(shape))
    if (fromMs > endMs || (fromMs === endMs && !mayBeLast))
      say(path, `this ${what} comes after the end`, 'Make `duration` longer.');
}

// Private

interface Happening {
  readonly what: string;
  readonly path: Parameters<Say>[0];
  readonly fromMs: number;
  readonly toMs: number;
  /** It is looked at, and does nothing. */
  readonly mayBeLast?: boolean;
}

function happenings(shape: ScenarioShape): Happening[] {
  return [
    ...ofCommits(shape),
    ...ofFaults(shape),
    ...ofCrashes(shape),
    ...ofTraffic(shape),
    ...ofExpectations(shape),
  ];
}

const moment = (what: string, path: Happening['path'], at: number | null | undefined): Happening[] =>
  at == null ? [] : [{ what, path, fromMs: at, toMs: at }];

function ofCommits({ commits }: ScenarioShape): Happening[] {
  return (commits ?? []).flatMap((commit, index) => moment('commit', ['commits', index, 'at'], commit.at));
}

function ofFaults({ backends }: ScenarioShape): Happening[] {
  return Object.entries(backends ?? {}).flatMap(([name, backend]) =>
    (backend.faults ?? []).flatMap((fault, index) => {
      const fromMs = fault.from ?? fault.at ?? 0;
      const toMs = fault.to ?? fromMs + (fault.for ?? 0);
      const begin = fault.from == null ? 'at' : 'from';
      return [{ what: 'fault', path: ['backends', name, 'faults', index, begin], fromMs, toMs }];
    }),
  );
}

function ofCrashes({ reconciler }: ScenarioShape): Happening[] {
  const crashes = reconciler?.crashes ?? [];
  if (crashes === EVERY_STEP) return [];
  return crashes.flatMap((crash, index) =>
    moment('crash', ['reconciler', 'crashes', index, 'at'], crash.at).map((each) => ({
      ...each,
      toMs: each.toMs + (crash.down ?? 0),
    })),
  );
}

function ofTraffic({ traffic }: ScenarioShape): Happening[] {
  return Object.entries(traffic ?? {}).flatMap(([service, flows]) =>
    (flows ?? []).flatMap((flow, index) =>
      moment('traffic', ['traffic', service, index, 'from'], flow.from ?? 0).map((each) => ({
        ...each,
        toMs: flow.to ?? each.fromMs,
      })),
    ),
  );
}

function ofExpectations({ expect }: ScenarioShape): Happening[] {
  return (expect ?? []).flatMap(({ atMs }, index) =>
    moment('expectation', ['expect', index, 'at'], atMs).map((each) => ({ ...each, mayBeLast: true })),
  );
}
