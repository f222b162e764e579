// As many replicas as the traffic asks for: none while nobody does, one with the first request, more under load.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { TestRepo } from '../git.ts';
import { type Answer, ask } from './ask.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { replicaPids } from './processes.ts';
import { newHome, smallService } from './repo.ts';

vi.setConfig({ testTimeout: 100_000, hookTimeout: 100_000 });

const SCALING = `replicas: 0..2
scaling:
  metric: rps
  target: 1
  window: 30s
  scale_up_delay: 1s
  scale_down_delay: 1s
`;

const home = newHome();
let repo: TestRepo;
let daemon: Daemon;

beforeAll(async () => {
  repo = home.repo();
  repo.commit({ 'web.dstack.yml': smallService('web', 'here', SCALING) });
  daemon = await startDaemon({ args: ['--repo', repo.dir], dataDir: home.dataDir });
});

afterAll(() => home.remove());

test('a service that may have none starts with none', async () => {
  const web = await daemon.untilService('web', 'sleeps', ({ status }) => status === 'scaled-to-zero');
  expect(web).toMatchObject({ desired: 0, ready: 0, replicas: [] });
  expect(pids()).toEqual([]);
});

test('the first request starts a replica, waits for it, and is answered', async () => {
  expect(await asked()).toEqual({ status: 200, text: 'here' });
  await daemon.happens('scaled', /^0 → 1 replica: .* held, target 1 per replica/);
  await daemon.untilService('web', 'runs', ({ status, ready }) => status === 'running' && ready === 1);
});

test('more requests than one replica is meant for start another; when they are over, both go', async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, asked));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  await daemon.untilService('web', 'has two replicas', ({ ready }) => ready === 2);
  await daemon.happens('scaled', /^1 → 2 replicas: 1\.\d+ rps over 30s, target 1 per replica/);
  await daemon.untilService('web', 'sleeps again', ({ status }) => status === 'scaled-to-zero', {
    ms: 80_000,
  });
  expect(pids()).toEqual([]);
});

test('while the daemon is away it cannot be woken, and the caller is told when to come again', async () => {
  await daemon.end('SIGTERM');
  const refused = await asked();
  expect(refused).toMatchObject({ status: 503, text: expect.stringContaining('is not running') });
  daemon = await startDaemon({ args: ['--repo', repo.dir], dataDir: home.dataDir });
  expect(await asked()).toEqual({ status: 200, text: 'here' });
});

function pids(): readonly number[] {
  return [...replicaPids(home.dataDir).values()];
}

function asked(): Promise<Answer> {
  return ask(`${daemon.url}/proxy/services/main/web/`);
}
