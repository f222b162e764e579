// Who tells GitHub how commits fare: one reporter for each project that has a `github` in the config.
import { systemClock } from '../clock.ts';
import { openGitHub } from '../report/github.ts';
import { createReporter, type Reporter } from '../report/reporter.ts';
import type { Closing } from './closing.ts';
import type { Ground } from './ground.ts';

/** Nothing is told before their `start`. `url`: where this server is reached. */
export async function openReporters(
  { store, projects }: Ground,
  url: string,
  log: (line: string) => void,
  closing: Closing,
): Promise<ReadonlyMap<string, Reporter>> {
  const ending = new AbortController();
  const targetUrl = isReachable(url) ? url : null;
  const reporters = new Map<string, Reporter>();
  for (const [project, { config }] of projects) {
    if (!config.github) continue;
    const { tokenFrom, ...github } = config.github;
    const board = await openGitHub({ ...github, targetUrl, now: Date.now, signal: ending.signal });
    reporters.set(
      project,
      createReporter({ project, store, board, tokenFrom, clock: systemClock, now: Date.now, log }),
    );
  }
  closing.add(() => {
    for (const reporter of reporters.values()) reporter.stop();
    ending.abort();
  });
  return reporters;
}

// Private

/** A link to this machine, or to every address it has, leads nobody anywhere. */
function isReachable(url: string): boolean {
  return !/^(localhost|127(\.\d+){3}|0\.0\.0\.0|\[::1?\])$/.test(new URL(url).hostname);
}
