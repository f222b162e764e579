// Scenarios written in tests, as users write them; run to the end.
import { runScenario } from '../../reconciler/simulate/run.ts';
import { readScenario, type Scenario } from '../../reconciler/simulate/scenario/read.ts';
import type { StoryLine } from '../../reconciler/simulate/story.ts';

export function scenario(text: string, path = '/nowhere/test.yml'): Scenario {
  const read = readScenario(path, path, text);
  if (read.kind === 'scenario') return read.scenario;
  throw new Error(
    read.problems.map(({ line, column, message }) => `${line}:${column} ${message}`).join('\n'),
  );
}

export async function play(told: Scenario | string) {
  const story: StoryLine[] = [];
  const outcome = await runScenario(typeof told === 'string' ? scenario(told) : told, (line) =>
    story.push(line),
  );
  return { ...outcome, story, web: outcome.summary.services.web };
}

/** A service `web` of two replicas, pushed at 0, by what else its file says. */
export function web(more = '', probes = true): string {
  const probed = probes ? ', probes: [{type: http, url: /, interval: 5s, ready_after: 1}]' : '';
  return `{type: service, name: web, port: 8000, commands: [serve v1], replicas: 2${probed}${more}}`;
}
