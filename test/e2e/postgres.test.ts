// The same with Postgres as the database: it may go away at any time, and traffic does not notice.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ServiceView } from '../../schemas/api.ts';
import type { TestRepo } from '../git.ts';
import { type OwnPostgres, startOwnPostgres } from '../postgres.ts';
import { type Answer, ask } from './ask.ts';
import { type Daemon, runToEnd, startDaemon } from './daemon.ts';
import { eventually } from './eventually.ts';
import { startLoad } from './load.ts';
import { processesOf, replicaPids } from './processes.ts';
import { newHome, webService } from './repo.ts';

vi.setConfig({ testTimeout: 100_000, hookTimeout: 100_000 });

const home = newHome();
let postgres: OwnPostgres;
let repo: TestRepo;
let daemon: Daemon;

beforeAll(async () => {
  postgres = await startOwnPostgres();
  repo = home.repo();
  repo.commit(webService(1));
});

afterAll(async () => {
  await home.remove();
  await postgres?.stop();
});

test('a commit rolls out', async () => {
  daemon = await start();
  await runsDeployment(1);
  expect(daemon.output()).toContain('(postgres)');
  repo.commit(webService(2));
  await runsDeployment(2);
});

test('the database goes away and comes back: requests are answered all the time, and the next commit rolls out', async () => {
  const load = startLoad(`${daemon.url}/proxy/services/main/web/`, 20);
  try {
    load.oldest(2);
    await postgres.down();
    await eventually('it says that it is not ready', async () => (await readiness()).status === 503);
    repo.commit(webService(3));
    await load.reaches(300);
    expect((await answered()).status).toBe(200);
    await postgres.up();
    await eventually('it is ready', async () => (await readiness()).status === 200);
    await runsDeployment(3);
    load.oldest(3);
    const { failed, failures } = await load.end();
    expect({ failed, failures }).toEqual({ failed: 0, failures: [] });
  } finally {
    load.kill();
  }
  expect(daemon.output()).toContain('the database answers again');
});

test('a daemon that finds no database at its start says so, without the password, and leaves what runs alone', async () => {
  const before = replicaPids(home.dataDir);
  await daemon.end('SIGTERM');
  await postgres.down();
  const refused = await runToEnd({
    args: ['--repo', repo.dir],
    dataDir: home.dataDir,
    env: { DATABASE_URL: postgres.url },
  });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/database|Postgres/);
  expect(refused.stderr).toContain(`127.0.0.1:${postgres.port}`);
  expect(refused.stderr).not.toContain(postgres.password);
  expect((await answered()).status).toBe(200);

  await postgres.up();
  daemon = await start();
  await runsDeployment(3);
  expect(replicaPids(home.dataDir)).toEqual(before);
  expect(await daemon.end('SIGINT')).toBe(0);
  await eventually('no process is left', () => processesOf(home.dataDir).length === 0);
});

function start(): Promise<Daemon> {
  const args = ['--repo', repo.dir];
  return startDaemon({ args, dataDir: home.dataDir, env: { DATABASE_URL: postgres.url } });
}

async function runsDeployment(deployment: number): Promise<void> {
  const isDone = ({ status, rollout }: ServiceView) =>
    status === 'running' && rollout?.to === deployment && rollout.outcome === 'done';
  await daemon.untilService('web', `runs deployment ${deployment}`, isDone);
  expect(await answered()).toEqual({ status: 200, text: `revision ${deployment}` });
}

function answered(): Promise<Answer> {
  return ask(`${daemon.url}/proxy/services/main/web/`);
}

function readiness(): Promise<Answer> {
  return ask(`${daemon.url}/readyz`);
}
