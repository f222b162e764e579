// `trueup simulate`: what would happen, on a virtual clock against a simulated world. Asks nobody, changes nothing.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { Problem } from '../../schemas/errors.ts';
import { type Outcome, runScenario } from '../simulate/run.ts';
import { readScenario, type Scenario } from '../simulate/scenario/read.ts';
import type { StoryLine } from '../simulate/story.ts';
import { BLANK, type Block, dim, line, strong } from '../view/cells.ts';
import { storyBlocks, summaryBlocks } from '../view/run.ts';
import { timelineBlocks } from '../view/timeline.ts';
import { excerptBlocks } from './excerpt.ts';
import { CommandFailure } from './failure.ts';
import { render, screenOf } from './screen.ts';
import type { Session } from './session.ts';

export interface SimulateOptions {
  readonly seed?: number;
  readonly json?: boolean;
}

/** 1 when a rule was broken, something leaked, or an expectation was not met; 2 when the scenario cannot be read. */
export async function simulate(session: Session, path: string, options: SimulateOptions): Promise<number> {
  const text = readText(session.cwd, path);
  const read = readScenario(resolve(session.cwd, path), path, text);
  if (read.kind === 'problems') return refuse(session, text, read.problems);
  const scenario = { ...read.scenario, seed: options.seed ?? read.scenario.seed };
  const outcome = options.json ? await printLines(session, scenario) : await printPicture(session, scenario);
  for (const text of outcome.strays) session.note(`warning: ${text}`);
  const { violations, unmet, leaked } = outcome.summary;
  return violations.length > 0 || unmet.length > 0 || leaked > 0 ? 1 : 0;
}

// Private

function readText(cwd: string, path: string): string {
  const absolute = resolve(cwd, path);
  if (!existsSync(absolute))
    throw new CommandFailure(`there is no file ${path}`, 'Give the path of a scenario.');
  if (!statSync(absolute).isFile())
    throw new CommandFailure(
      `${relative(cwd, absolute) || path} is no file`,
      'Give the path of a scenario, a YAML file.',
    );
  return readFileSync(absolute, 'utf8');
}

/** On standard error: standard output is for the story. */
function refuse({ env, note }: Session, text: string, problems: readonly Problem[]): number {
  const screen = screenOf(process.stderr, env);
  const blocks = problems.flatMap(({ file, ...problem }) => excerptBlocks(file, text, problem, screen.width));
  note(render(blocks, screen).trimEnd());
  return 2;
}

async function printLines(session: Session, scenario: Scenario): Promise<Outcome> {
  const lines: StoryLine[] = [];
  const outcome = await runScenario(scenario, (told) => lines.push(told));
  for (const told of lines) await session.jsonLine(told);
  await session.jsonLine({ summary: outcome.summary });
  return outcome;
}

async function printPicture(session: Session, scenario: Scenario): Promise<Outcome> {
  const story: StoryLine[] = [];
  const begun = performance.now();
  const outcome = await runScenario(scenario, (told) => story.push(told));
  const tookS = (performance.now() - begun) / 1000;
  const { width } = session.screen();
  const { durationMs, commits } = scenario;
  const { lanes, spells, deaths } = outcome;
  const blocks: Block[] = [
    line(0, strong(scenario.name), dim(`seed ${scenario.seed}, in ${tookS.toFixed(1)} s`)),
    BLANK,
    ...timelineBlocks({ durationMs, commits, lanes, spells, deaths }, width),
    BLANK,
    ...storyBlocks(story),
    BLANK,
    ...summaryBlocks(outcome.summary),
  ];
  await session.blocks(blocks);
  return outcome;
}
