// Runs the committed bundle as GitHub's runner does: a process with exactly the runner's environment, told of its event by a
// file, heard by files and by what it prints.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import { NAME, OWNER, TOKENS } from './github.ts';

export const ACTION = fileURLToPath(new URL('../../action', import.meta.url));

export interface Step {
  /** Where the folders of the job are made. */
  readonly dir: string;
  readonly apiUrl: string;
  readonly event:
    | 'pull_request'
    | 'merge_group'
    | 'push'
    | 'workflow_dispatch'
    | 'schedule'
    | 'pull_request_target';
  readonly payload: unknown;
  readonly sha: string;
  readonly ref: string;
  /** `with:` of the step. */
  readonly inputs: Readonly<Record<string, string>>;
  /** A checkout; absent: there is none. */
  readonly workspace?: string;
  readonly githubToken?: string;
  /** Beside the runner's own: `env:` of the step, what `id-token: write` brings. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Result {
  readonly code: number | null;
  readonly log: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** Markdown. */
  readonly summary: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  log(): string;
  readonly result: Promise<Result>;
}

export async function runStep(step: Step): Promise<Result> {
  return startStep(step).result;
}

export function startStep(step: Step): Running {
  const dir = mkdtempSync(join(step.dir, 'job-'));
  const env = environment(step, dir);
  const main = join(
    ACTION,
    actionSchema.parse(parse(readFileSync(join(ACTION, 'action.yml'), 'utf8'))).runs.main,
  );
  const cwd = step.workspace ?? dir;
  const child = spawn(process.execPath, [main], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  const result = once(child, 'close').then(([code]: (number | null)[]) => {
    const read = { code: code ?? null, log, ...filesOf(dir) };
    rmSync(join(dir, 'files'), { recursive: true });
    return read;
  });
  return { child, log: () => log, result };
}

// Private

const actionSchema = z.object({
  inputs: z.record(z.string(), z.object({ default: z.string().optional() })),
  runs: z.object({ main: z.string() }),
});

function environment(step: Step, dir: string): Record<string, string> {
  const files = join(dir, 'files');
  const temp = join(dir, 'temp');
  for (const folder of [files, temp]) mkdirSync(folder);
  writeFileSync(join(files, 'event.json'), JSON.stringify(step.payload));
  for (const name of ['output', 'summary']) writeFileSync(join(files, name), '');
  const { PATH = '' } = process.env;
  return {
    PATH,
    HOME: dir,
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_API_URL: step.apiUrl,
    GITHUB_SERVER_URL: 'https://github.example',
    GITHUB_REPOSITORY: `${OWNER}/${NAME}`,
    GITHUB_EVENT_NAME: step.event,
    GITHUB_EVENT_PATH: join(files, 'event.json'),
    GITHUB_OUTPUT: join(files, 'output'),
    GITHUB_STEP_SUMMARY: join(files, 'summary'),
    GITHUB_SHA: step.sha,
    GITHUB_REF: step.ref,
    GITHUB_RUN_ID: '42',
    GITHUB_WORKSPACE: step.workspace ?? join(dir, 'workspace'),
    RUNNER_TEMP: temp,
    ...inputsOf(step),
    ...step.env,
  };
}

/** Every input of `action.yml`, given or by its default. */
function inputsOf({ inputs, githubToken = TOKENS.job }: Step): Record<string, string> {
  const { inputs: declared } = actionSchema.parse(parse(readFileSync(join(ACTION, 'action.yml'), 'utf8')));
  const unknown = Object.keys(inputs).filter((name) => !(name in declared));
  if (unknown.length > 0) throw new Error(`action.yml has no input ${unknown.join(', ')}`);
  return Object.fromEntries(
    Object.entries(declared).map(([name, { default: usual = '' }]) => {
      const value = inputs[name] ?? usual.replace(/^\$\{\{ github\.token \}\}$/, githubToken);
      return [`INPUT_${name.replaceAll(' ', '_').toUpperCase()}`, value];
    }),
  );
}

function filesOf(dir: string): Pick<Result, 'outputs' | 'summary'> {
  const read = (name: string) => readFileSync(join(dir, 'files', name), 'utf8');
  const outputs: Record<string, string> = {};
  const pattern = /^([^<\n]+)<<(\S+)\n([\s\S]*?)\n\2$/gm;
  for (const [, name = '', , value = ''] of read('output').matchAll(pattern)) outputs[name] = value;
  return { outputs, summary: read('summary') };
}

/** The payload of a pull request's event, as far as anybody looks at it. */
export function pullPayload(
  { number, head, base }: { readonly number: number; readonly head: string; readonly base: string },
  more: { readonly isFork?: boolean; readonly isPrivate?: boolean } = {},
): unknown {
  const fullName = `${OWNER}/${NAME}`;
  return {
    action: 'synchronize',
    number,
    pull_request: {
      number,
      head: { sha: head, ref: 'change', repo: { full_name: more.isFork ? `mallory/${NAME}` : fullName } },
      base: { sha: base, ref: 'main', repo: { full_name: fullName } },
    },
    repository: { full_name: fullName, private: more.isPrivate ?? true },
  };
}

export function pushPayload(before: string, after: string, isPrivate = true): unknown {
  const fullName = `${OWNER}/${NAME}`;
  return { ref: 'refs/heads/main', before, after, repository: { full_name: fullName, private: isPrivate } };
}
