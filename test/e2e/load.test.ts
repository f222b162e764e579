// The proof under load: a client that forgives nothing asks all the time, while revisions come and go, good ones and
// a bad one, and the daemon is killed in the midst of it. Not one request fails, and none is answered by the past.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { TestRepo } from '../git.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { eventually } from './eventually.ts';
import { KINDS, type Load, startLoad, total } from './load.ts';
import { processesOf, replicaPids } from './processes.ts';
import { newHome, webService } from './repo.ts';

vi.setConfig({ testTimeout: 150_000, hookTimeout: 100_000 });

const REQUESTS = 20_000;
/** Of each kind. */
const PER_SECOND = 100;

const home = newHome();
let repo: TestRepo;
let daemon: Daemon;
let load: Load;

beforeAll(async () => {
  repo = home.repo();
  repo.commit(webService(1));
  daemon = await start();
  const { url } = await daemon.untilService('web', 'runs', ({ status }) => status === 'running');
  load = startLoad(url, PER_SECOND);
});

afterAll(async () => {
  load?.kill();
  await home.remove();
});

describe('under load', () => {
  test('two revisions are rolled out', async () => {
    for (const revision of [2, 3]) {
      repo.commit(webService(revision));
      await rolledOut(revision);
    }
  });

  test('one that ends at once is not', async () => {
    repo.commit(unable(webService(4)));
    const hasFailed = await daemon.untilService(
      'web',
      'failed to roll out',
      ({ rollout }) => rollout?.to === 4 && rollout.outcome === 'failed',
    );
    expect(hasFailed).toMatchObject({ status: 'degraded', ready: 2 });
  });

  test('a rollout whose daemon is killed is completed by the next one, which adopts what it finds', async () => {
    repo.commit(webService(5));
    const half = await daemon.untilService('web', 'is half rolled out', ({ replicas, rollout }) => {
      return rollout?.to === 5 && rollout.ready === 1 && replicas.some(({ deployment }) => deployment === 3);
    });
    await daemon.end('SIGKILL');
    const before = replicaPids(home.dataDir);
    await load.reaches(total(load.now()) + 1_000);

    daemon = await start();
    await rolledOut(5);
    const after = replicaPids(home.dataDir);
    const ready = half.replicas.filter((replica) => replica.deployment === 5 && replica.ready);
    expect(ready).toHaveLength(1);
    for (const { name } of ready) expect([name, after.get(name)]).toEqual([name, before.get(name)]);
  });

  test(`not one of ${REQUESTS} requests fails, or is answered by a revision that was replaced`, async () => {
    await load.reaches(REQUESTS);
    const { sent, seconds, answeredBy, failures, failed } = await load.end();
    expect({ failed, failures }).toEqual({ failed: 0, failures: [] });
    for (const kind of KINDS) expect(sent[kind] / seconds).toBeGreaterThan(PER_SECOND / 2);
    expect(Object.keys(answeredBy)).toEqual(['1', '2', '3', '5']);
  });

  test('Ctrl-C then leaves no process behind', async () => {
    expect(await daemon.end('SIGINT')).toBe(0);
    await eventually('no process is left', () => processesOf(home.dataDir).length === 0);
  });
});

function start(): Promise<Daemon> {
  return startDaemon({ args: ['--repo', repo.dir], dataDir: home.dataDir });
}

/** Each commit here makes one deployment, so revisions and deployments have the same numbers. */
async function rolledOut(revision: number): Promise<void> {
  await daemon.untilService(
    'web',
    `runs revision ${revision}`,
    ({ rollout }) => rollout?.to === revision && rollout.outcome === 'done',
  );
  load.oldest(revision);
}

function unable(files: { readonly [path: string]: string }): { readonly [path: string]: string } {
  const { 'web.dstack.yml': file = '' } = files;
  return { ...files, 'web.dstack.yml': file.replace('exec node web.mjs', 'echo I cannot start; exit 3') };
}
