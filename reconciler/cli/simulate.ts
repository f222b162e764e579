// `trueup simulate`: what would happen, on a virtual clock against a simulated world. Asks nobody, changes nothing.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { Problem } from '../../schemas/errors.ts';
import { locate, type Remark } from '../../schemas/findings.ts';
import { type Finding, inOrder } from '../../schemas/problems.ts';
import { parseYaml } from '../../schemas/yaml.ts';
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
  if (read.kind === 'problems') return refuse(session, path, text, read.problems);
  const scenario = { ...read.scenario, seed: options.seed ?? read.scenario.seed };
  const outcome = options.json ? await printLines(session, scenario) : await printPicture(session, scenario);
  warn(session, path, text, outcome.strays);
  const { violations, unmet, leaked } = outcome.summary;
  return violations.length > 0 || unmet.length > 0 || leaked > 0 ? 1 : 0;
}

// Private

const STDIN = '-';

function readText(cwd: string, path: string): string {
  if (path === STDIN) return readFileSync(0, 'utf8');
  const absolute = resolve(cwd, path);
  if (!existsSync(absolute))
    throw new CommandFailure(`there is no file ${path}`, 'Give the path of a scenario.');
  if (statSync(absolute).isDirectory())
    throw new CommandFailure(
      `${relative(cwd, absolute) || path} is a folder`,
      'Give the path of a scenario, a YAML file.',
    );
  return readFileSync(absolute, 'utf8');
}

function refuse(session: Session, path: string, text: string, problems: readonly Problem[]): number {
  tell(session, path, text, problems);
  return 2;
}

/** On standard error: standard output is for the story. */
function tell({ env, note }: Session, file: string, text: string, findings: readonly Finding[]): void {
  const screen = screenOf(process.stderr, env);
  const blocks = findings.flatMap((finding) => excerptBlocks(file, text, finding, screen.width));
  note(render(blocks, screen).trimEnd());
}

/** Of what has no effect; on standard error as well. */
function warn(session: Session, file: string, text: string, strays: readonly Remark[]): void {
  const { place } = parseYaml(text);
  const found = strays.map((stray) => locate({ ...stray, atKey: true }, place, 'warning'));
  if (found.length > 0) tell(session, file, text, inOrder(found));
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
  const { lanes, machines, spells, deaths, summary } = outcome;
  const services = [...new Set([...lanes.map(({ service }) => service), ...Object.keys(summary.services)])];
  const blocks: Block[] = [
    line(0, strong(scenario.name), dim(`seed ${scenario.seed}, in ${tookS.toFixed(1)} s`)),
    BLANK,
    ...timelineBlocks({ durationMs, commits, lanes, machines, services, spells, deaths }, width),
    BLANK,
    ...storyBlocks(story),
    BLANK,
    ...summaryBlocks(summary),
  ];
  await session.blocks(blocks);
  return outcome;
}
