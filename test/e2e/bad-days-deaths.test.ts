// Bad days of the machine: whatever is killed, the service goes on, and what is missing comes back.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Status } from '../../schemas/api.ts';
import type { TestRepo } from '../git.ts';
import { ask } from './ask.ts';
import { type Daemon, runToEnd, startDaemon } from './daemon.ts';
import { eventually } from './eventually.ts';
import { kill, pidsOf, processesOf, replicaPids } from './processes.ts';
import { newHome, webService } from './repo.ts';

vi.setConfig({ testTimeout: 100_000, hookTimeout: 100_000 });

const home = newHome();
const { dataDir } = home;
let repo: TestRepo;
let daemon: Daemon;

beforeAll(async () => {
  repo = home.repo();
  repo.commit(webService(1));
  daemon = await startDaemon({ args: ['--repo', repo.dir], dataDir });
  await daemon.until('web runs', runs);
  await eventually('there are two proxies', () => pidsOf(dataDir, 'proxy').length === 2);
});

afterAll(() => home.remove());

describe('a death', () => {
  test('of a replica is healed by a new one, while the other answers', async () => {
    const [name, pid] = first(replicaPids(dataDir));
    kill(pid, 'SIGKILL');
    const status = await answering(() => daemon.until('web is whole again', isWholeWithout(name)));
    expect(status.services[0]?.deployment).toBe(1);
    const event = await daemon.happens('replica-failed', /SIGKILL/);
    expect(event.replica).toBe(name);
  });

  test('of a keeper leaves its replica alone, and another takes its place', async () => {
    const before = replicaPids(dataDir);
    const [name] = first(before);
    const [keeper] = keepersOf(name);
    kill(keeper ?? 0, 'SIGKILL');
    await answering(() =>
      eventually('another keeper is there', () => keepersOf(name).some((pid) => pid !== keeper)),
    );
    expect(replicaPids(dataDir)).toEqual(before);
  });

  test('of a proxy is made up for by the others, until there is a new one', async () => {
    const [victim = 0] = pidsOf(dataDir, 'proxy');
    kill(victim, 'SIGKILL');
    await answering(() =>
      eventually('there are two others', () => {
        const proxies = pidsOf(dataDir, 'proxy');
        return proxies.length === 2 && !proxies.includes(victim);
      }),
    );
  });

  test('of the daemon is noticed by nobody but its own callers; the next one adopts all', async () => {
    await survives('SIGKILL');
  });
});

describe('SIGTERM', () => {
  test('ends the daemon alone; the next one adopts all', async () => {
    await survives('SIGTERM');
  });

  test('leaves what `serve --stop` then ends', async () => {
    expect(await daemon.end('SIGTERM')).toBe(0);
    await answers();
    const { code, stdout } = await runToEnd({ args: ['--stop'], dataDir });
    expect({ code, lines: stdout.split('\n') }).toMatchObject({
      code: 0,
      lines: expect.arrayContaining(['Nothing of this data dir runs any more.']),
    });
    await eventually('no process is left', () => processesOf(dataDir).length === 0);
  });
});

async function survives(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  const before = { replicas: replicaPids(dataDir), proxies: pidsOf(dataDir, 'proxy') };
  expect(before.replicas.size).toBe(2);
  await daemon.end(signal);
  await answers();
  const health = await ask(`${daemon.url}/healthz`);
  expect([health.status, JSON.parse(health.text)]).toMatchObject([200, { reconciler: 'down' }]);
  const api = await ask(`${daemon.url}/api/v1/status`);
  expect([api.status, JSON.parse(api.text)]).toMatchObject([503, { detail: 'reconciler is not running' }]);

  const { url } = daemon;
  await answering(async () => {
    daemon = await startDaemon({ args: ['--repo', repo.dir], dataDir });
  });
  expect(daemon.url).toBe(url);
  await daemon.until('web runs', runs);
  expect({ replicas: replicaPids(dataDir), proxies: pidsOf(dataDir, 'proxy') }).toEqual(before);
  expect((await daemon.service('web'))?.deployment).toBe(1);
}

function runs({ services }: Status): boolean {
  return services.some(({ status, ready }) => status === 'running' && ready === 2);
}

function isWholeWithout(name: string) {
  return (status: Status) =>
    runs(status) &&
    !status.services.some(({ replicas }) => replicas.some((replica) => replica.name === name));
}

function keepersOf(name: string): readonly number[] {
  return processesOf(dataDir)
    .filter(({ role, replica }) => role === 'keeper' && replica === name)
    .map(({ pid }) => pid);
}

function first<K, V>(map: ReadonlyMap<K, V>): readonly [K, V] {
  const [entry] = map;
  if (entry === undefined) throw new Error('there is none');
  return entry;
}

async function answers(): Promise<void> {
  expect(await ask(`${daemon.url}/proxy/services/main/web/`)).toEqual({ status: 200, text: 'revision 1' });
}

/** While something is awaited, every request is answered. */
async function answering<T>(wait: () => Promise<T>): Promise<T> {
  let isOver = false;
  const asking = (async () => {
    while (!isOver) await answers();
  })();
  try {
    const [result] = await Promise.all([wait().finally(() => (isOver = true)), asking]);
    return result;
  } finally {
    isOver = true;
  }
}
