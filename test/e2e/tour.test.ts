// The first ten minutes with the program: the examples run, a commit rolls out, a broken one harms nothing.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import {
  eventSchema,
  logLineSchema,
  type Status,
  serviceViewSchema,
  statusSchema,
  whySchema,
} from '../../schemas/api.ts';
import { planSchema } from '../../schemas/plan.ts';
import type { TestRepo } from '../git.ts';
import { type Answer, ask } from './ask.ts';
import { type CommandResult, type Daemon, startDaemon } from './daemon.ts';
import { eventually } from './eventually.ts';
import { pidsOf, processesOf } from './processes.ts';
import { newHome, repoOfExamples } from './repo.ts';

const HELLO = 'examples/hello.dstack.yml';
vi.setConfig({ testTimeout: 100_000, hookTimeout: 100_000 });

const home = newHome();
let repo: TestRepo;
let daemon: Daemon;

beforeAll(async () => {
  repo = repoOfExamples(home);
  const args = ['--repo', repo.dir, '--path', 'examples'];
  daemon = await startDaemon({ args, dataDir: home.dataDir });
});

afterAll(() => home.remove());

describe('the tour', () => {
  test('both examples run, seconds after the start', async () => {
    const status = await daemon.until('both run', isAllRunning);
    expect(status.commit).toBe(repo.head());
    expect(status.services.map(({ name, ready, desired }) => [name, ready, desired])).toEqual([
      ['echo', 1, 1],
      ['hello', 2, 2],
    ]);
    expect(await say('hello')).toMatch(/^Hello from trueup \(hello-[12]\)\n$/);
  });

  test('the model answers to the printed token, and to nobody without it', async () => {
    const token = /Authorization: Bearer (\S+)/.exec(daemon.output())?.[1];
    const { status, text } = await chat({ authorization: `Bearer ${token}` });
    expect([status, text]).toEqual([200, expect.stringContaining('"content":"hello there"')]);
    expect((await chat({})).status).toBe(403);
    expect((await chat({ authorization: 'Bearer wrong' })).status).toBe(403);
  });

  test('a commit is rolled out at once', async () => {
    const before = Date.now();
    const commit = change('MESSAGE=Hello from trueup', 'MESSAGE=Hello again');
    const event = await daemon.happens('deployment', /^deployment 2 /);
    expect(event).toMatchObject({ service: 'hello', deployment: 2, commit });
    expect(Date.parse(event.time) - before).toBeLessThan(5_000);
    const status = await daemon.until('hello runs deployment 2', (now) => isDone(now, 'hello', 2));
    expect(status.commit).toBe(commit);
    expect(await say('hello')).toContain('Hello again');
  });

  test('status, why, events, logs and plan print what they promise', async () => {
    const status = statusSchema.parse(printed(await daemon.trueup('status', '--json')));
    expect(status).toMatchObject({ project: 'main', commit: repo.head(), sourceFailure: null, held: [] });
    const one = statusSchema.parse(printed(await daemon.trueup('status', 'hello', '--json')));
    const [hello] = z.tuple([serviceViewSchema]).parse(one.services);
    expect(hello.replicas.map(({ deployment, phase, ready }) => [deployment, phase, ready])).toEqual([
      [2, 'ready', true],
      [2, 'ready', true],
    ]);

    const why = whySchema.parse(printed(await daemon.trueup('why', 'hello', '--json')));
    expect(why).toMatchObject({ service: 'hello', status: 'running', waiting: [], problems: [] });

    const events = printedLines(await daemon.trueup('events', 'hello', '--json'));
    const names = events.map((event) => eventSchema.parse(event).event);
    expect(names.filter((name) => name === 'rollout-done')).toHaveLength(2);
    expect(names.indexOf('desired')).toBeLessThan(names.indexOf('rollout-done'));

    const plan = planSchema.parse(printed(await daemon.trueup('plan', '--json')));
    expect(plan).toMatchObject({ commit: repo.head(), base: repo.head(), deletions: [], problems: [] });
    expect(plan.changes.map(({ service, change }) => [service, change])).toEqual([
      ['echo', 'keep'],
      ['hello', 'keep'],
    ]);

    const logs = printedLines(await daemon.trueup('logs', 'hello', '--json'));
    const texts = logs.map((entry) => logLineSchema.parse(entry).text);
    expect(texts).toContainEqual(expect.stringMatching(/^hello-\d listens on \d+$/));
  });

  test('a broken file harms nothing, and status says where it is broken', async () => {
    change('port: 8000', 'port: eighty');
    const line = lineOf('port: eighty');
    const status = await daemon.until('hello has a problem', (now) => problemsOf(now, 'hello').length > 0);
    expect(problemsOf(status, 'hello')).toContainEqual(
      expect.objectContaining({ file: HELLO, line, severity: 'error' }),
    );
    expect(await say('hello')).toContain('Hello again');
    for (const command of [['status'], ['why', 'hello']]) {
      expect((await daemon.trueup(...command)).stdout).toContain(`${HELLO}:${line}`);
    }
  });

  test('a revert is all it takes', async () => {
    repo.git('revert', '--no-edit', 'HEAD');
    await daemon.until('all runs', (now) => isAllRunning(now) && problemsOf(now, 'hello').length === 0);
    expect(await say('hello')).toContain('Hello again');
    const { code } = await daemon.trueup('status', '--json');
    expect(code).toBe(0);
  });

  test('a wrong command line ends with 2, an unknown service with a list of those there are', async () => {
    expect((await daemon.trueup('status', '--jsn')).code).toBe(2);
    const { code, stderr } = await daemon.trueup('why', 'helo');
    expect(code).not.toBe(0);
    expect(stderr).toContain('hello');
  });

  test('Ctrl-C ends everything', async () => {
    expect(pidsOf(home.dataDir, 'proxy').length).toBeGreaterThan(0);
    expect(await daemon.end('SIGINT')).toBe(0);
    await eventually('no process is left', () => processesOf(home.dataDir).length === 0);
    expect(daemon.output()).toContain('ends hello-');
  });
});

function isAllRunning({ services }: Status): boolean {
  return services.length === 2 && services.every(({ status }) => status === 'running');
}

function isDone({ services }: Status, name: string, deployment: number): boolean {
  const rollout = services.find((service) => service.name === name)?.rollout;
  return rollout?.to === deployment && rollout.outcome === 'done';
}

function problemsOf({ services }: Status, name: string) {
  return services.find((service) => service.name === name)?.problems ?? [];
}

/** Replaces a text in hello's file, and commits. */
function change(from: string, to: string): string {
  const text = repo.git('show', `HEAD:${HELLO}`);
  expect(text).toContain(from);
  return repo.commit({ [HELLO]: `${text.replace(from, to)}\n` }, to);
}

function lineOf(text: string): number {
  return repo.git('show', `HEAD:${HELLO}`).split('\n').indexOf(text) + 1;
}

async function say(service: string): Promise<string> {
  const { status, text } = await ask(`${daemon.url}/proxy/services/main/${service}/`);
  expect(status).toBe(200);
  return text;
}

async function chat(headers: Record<string, string>): Promise<Answer> {
  const body = JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: 'hello there' }] });
  const url = `${daemon.url}/proxy/services/main/echo/v1/chat/completions`;
  return ask(url, { method: 'POST', headers, body });
}

function printed({ code, stdout, stderr }: CommandResult): unknown {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

function printedLines({ code, stdout, stderr }: CommandResult): unknown[] {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}
