// Bad days of a revision: what cannot run is said before it is tried or soon after, and the last good deployment stays.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type ServiceView, whySchema } from '../../schemas/api.ts';
import { planSchema } from '../../schemas/plan.ts';
import type { TestRepo } from '../git.ts';
import { ask } from './ask.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { eventually } from './eventually.ts';
import { processesOf, replicaPids } from './processes.ts';
import { newHome, smallService } from './repo.ts';

vi.setConfig({ testTimeout: 100_000, hookTimeout: 100_000 });

const home = newHome();
const VALUE = 'correct-horse-battery';
let repo: TestRepo;
let daemon: Daemon;

beforeAll(async () => {
  repo = home.repo();
  repo.commit({
    'trueup.yml': 'rollout: {deadlines: {ready: 3s}}\n',
    'steady.dstack.yml': steady('first'),
    'secretive.dstack.yml': secretive('KNOWN'),
  });
  const config = join(home.dir, 'server.yml');
  const secrets = { KNOWN: 'env:KNOWN_VALUE' };
  writeFileSync(config, JSON.stringify({ projects: { main: { repo: repo.dir, secrets } } }));
  const args = ['--config', config];
  daemon = await startDaemon({ args, dataDir: home.dataDir, env: { KNOWN_VALUE: VALUE } });
  await daemon.untilService('steady', 'runs', isRunning);
  await daemon.untilService('secretive', 'runs', isRunning);
});

afterAll(() => home.remove());

test('a secret is masked in logs, and a missing one is a problem before anything is tried', async () => {
  const logs = await eventually('it has printed its secret', async () => {
    const { stdout } = await daemon.trueup('logs', 'secretive');
    return stdout.includes('my secret is') ? stdout : null;
  });
  expect(logs).toContain('my secret is ***');
  expect(logs).not.toContain(VALUE);

  repo.commit({ 'secretive.dstack.yml': secretive('UNKNOWN') });
  const broken = await daemon.untilService('secretive', 'has a problem', hasProblem);
  expect(broken).toMatchObject({ status: 'invalid', deployment: 1, ready: 1 });
  expect(broken.problems[0]).toMatchObject({ file: 'secretive.dstack.yml', line: 4 });
  expect(broken.problems[0]?.message).toContain('UNKNOWN');
  expect(await said('secretive')).toBe('ok');
  await plans('secretive', /UNKNOWN/);
  repo.commit({ 'secretive.dstack.yml': null });
  await eventually('it is removed', async () => (await daemon.service('secretive')) === undefined);
});

test('an image without an engine to run it is a problem before anything is tried', async () => {
  repo.commit({ 'steady.dstack.yml': `${steady('first')}image: python:3.12\n` });
  const broken = await daemon.untilService('steady', 'has a problem', hasProblem);
  expect(broken).toMatchObject({ status: 'invalid', deployment: 1, ready: 1 });
  expect(broken.problems[0]?.message).toContain('`image` needs a container engine');
  await plans('steady', /container engine/);
  expect(await said('steady')).toBe('first');
});

test('a first command that ends at once is tried again and again, and why shows its last words', async () => {
  repo.commit({ 'crash.dstack.yml': service('crash', 'echo I cannot go on; exit 3') });
  await daemon.untilService('crash', 'has failed, and waits', ({ status, waiting }) => {
    return status === 'failed' && waiting?.some(({ reason }) => reason === 'backoff') === true;
  });
  expect((await daemon.trueup('status', 'crash')).code).toBe(1);
  const { stdout } = await daemon.trueup('why', 'crash', '--json');
  const why = whySchema.parse(JSON.parse(stdout));
  expect(why.failure).toMatchObject({ log: ['I cannot go on'], reason: expect.stringContaining('code 3') });
  await daemon.happens('replica-created', /crash-4 /);
  repo.commit({ 'crash.dstack.yml': smallService('crash', 'well again') });
  await daemon.untilService('crash', 'runs', isRunning);
  expect(await said('crash')).toBe('well again');
});

test('a probe that never succeeds fails the rollout, and the old deployment stays', async () => {
  const [, pid] = [...replicaPids(home.dataDir)].find(([name]) => name.startsWith('steady-')) ?? [];
  repo.commit({
    'steady.dstack.yml': steady(
      'second',
      'probes: [{type: http, url: /, method: post, interval: 1s, timeout: 1s}]',
    ),
  });
  const failed = await daemon.untilService(
    'steady',
    'has failed to roll out',
    ({ rollout }) => rollout?.outcome === 'failed',
  );
  expect(failed).toMatchObject({ status: 'degraded', ready: 1 });
  expect(failed.rollout?.reason).toContain('did not become ready within 3 s');
  expect(await said('steady')).toBe('first');
  await eventually('only the old replica is left', () => {
    const left = [...replicaPids(home.dataDir)].filter(([name]) => name.startsWith('steady-'));
    return left.length === 1 && left[0]?.[1] === pid;
  });
  const { stdout } = await daemon.trueup('why', 'steady');
  expect(stdout).toContain('did not become ready');
});

test('a command that does not heed $PORT is told so', async () => {
  const port = await freePort();
  const listen = `require("http").createServer((q, s) => s.end()).listen(${port})`;
  const file = service('fixed', `exec node -e '${listen}'`, 'replicas: 2').replace('8000', String(port));
  repo.commit({ 'fixed.dstack.yml': file });
  const fixed = await daemon.untilService('fixed', 'listens on the wrong port', ({ replicas }) =>
    replicas.some(({ detail }) => detail.includes('$PORT')),
  );
  expect(fixed.ready).toBe(0);
  const { stdout } = await daemon.trueup('why', 'fixed');
  expect(stdout).toContain(String(port));
  expect(stdout).toContain('$PORT');
  repo.commit({ 'fixed.dstack.yml': null });
  await eventually('it is removed', async () => (await daemon.service('fixed')) === undefined);
});

test('a replica that ignores SIGTERM is killed when its time is up', async () => {
  const stubborn = (says: string) =>
    smallService('stubborn', says, 'stop_duration: 1s').replace(
      "exec node -e '",
      `exec node -e 'process.on("SIGTERM", () => {}); `,
    );
  repo.commit({ 'stubborn.dstack.yml': stubborn('first') });
  await daemon.untilService('stubborn', 'runs', isRunning);
  repo.commit({ 'stubborn.dstack.yml': stubborn('second') });
  await daemon.untilService(
    'stubborn',
    'runs the second',
    ({ rollout }) => rollout?.to === 2 && rollout.outcome === 'done',
  );
  expect(await said('stubborn')).toBe('second');
  await daemon.happens('replica-stopped', /stubborn-1/);
  expect([...replicaPids(home.dataDir).keys()]).not.toContain('stubborn-1');
});

test('Ctrl-C ends everything, whatever state it is in', async () => {
  expect(await daemon.end('SIGINT')).toBe(0);
  await eventually('no process is left', () => processesOf(home.dataDir).length === 0);
});

function isRunning({ status }: ServiceView): boolean {
  return status === 'running';
}

function hasProblem({ problems }: ServiceView): boolean {
  return problems.length > 0;
}

/** `trueup plan` of the working folder, which is what was committed, names the problem. */
async function plans(name: string, problem: RegExp): Promise<void> {
  const { code, stdout } = await daemon.trueup('plan', repo.dir, '--json');
  const { problems } = planSchema.parse(JSON.parse(stdout));
  expect(code).toBe(1);
  expect(problems.find(({ file }) => file === `${name}.dstack.yml`)?.message).toMatch(problem);
}

async function said(name: string): Promise<string> {
  const { status, text } = await ask(`${daemon.url}/proxy/services/main/${name}/`);
  expect(status).toBe(200);
  return text;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function service(name: string, command: string, more = ''): string {
  return `type: service\nname: ${name}\ncommands:\n  - ${command}\nport: 8000\nauth: false\n${more}\n`;
}

/** Answers every GET, and to anything else that it may not. */
function steady(says: string, more = ''): string {
  return smallService('steady', says, more).replace(
    '(q, s) => ',
    '(q, s) => (q.method === "GET" || (s.statusCode = 405)) && ',
  );
}

function secretive(secret: string): string {
  return `type: service
name: secretive
env:
  - MINE=\${{ secrets.${secret} }}
  - SAYS=ok
commands:
  - echo my secret is $MINE
${smallService('', '').split('commands:\n')[1]}`;
}
