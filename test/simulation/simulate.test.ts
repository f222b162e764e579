// Runs of scenarios: what the world does, what the summary counts, and that every run is repeatable.
import { describe, expect, test } from 'vitest';
import { play, scenario, web } from './scenarios.ts';

const pushed = (file: string) => `commits: [{files: {web.dstack.yml: ${file}}}]\nduration: 20m\n`;

describe('a run', () => {
  test('is the same for the same seed, and another for another', async () => {
    const text = `${pushed(web())}backends: {c: {boot: 20s..90s, faults: [{kind: api-errors, rate: 30%}]}}`;
    const told = async (seed: number) => JSON.stringify((await play({ ...scenario(text), seed })).story);
    expect(await told(1)).toBe(await told(1));
    expect(await told(1)).not.toBe(await told(2));
  });

  test('counts every request, and none fails where nothing goes wrong', async () => {
    const { summary } = await play(
      `${pushed(web())}traffic: {web: [{from: 2m, to: 4m, rps: 5}, {from: 5m, to: 6m, rps: 0..10}]}`,
    );
    expect(summary.requests).toEqual({ ok: 600 + 300, failed: 0 });
  });

  test('fails requests that find nobody', async () => {
    const { summary, story } = await play(`${pushed(web())}traffic: {web: {to: 10s, rps: 1}}`);
    expect(summary.requests).toEqual({ ok: 0, failed: 10 });
    expect(story.filter(({ event }) => event.startsWith('requests-')).map(({ event }) => event)).toEqual([
      'requests-failing',
      'requests-fine',
    ]);
  });

  test('bills every instance from its order to its end', async () => {
    const { summary } = await play(`
commits: [{files: {web.dstack.yml: ${web()}}}, {at: 30m, remove: web.dstack.yml}]
duration: 1h
backends: {c: {end: 0s, offers: [{price: 3}]}}
replicas: {web: {stop: 0s}}`);
    expect(summary).toMatchObject({ services: {}, removed: ['web'], maxLive: 2 });
    expect(summary.cost).toBeCloseTo(3, 2);
  });

  test('tells t, event, service, replica, group, backend and deployment', async () => {
    const { story } = await play(pushed(web()));
    const ready = story.find(({ event }) => event === 'replica-ready');
    expect(ready).toMatchObject({ service: 'web', group: '0', backend: 'cloud', deployment: 1 });
    expect(ready?.replica).toMatch(/^web-[12]$/);
    expect(ready?.t).toBeCloseTo(42, 0);
    expect(story.map(({ t }) => t)).toEqual(story.map(({ t }) => t).toSorted((a, b) => a - b));
  });

  test('tells the group and the backend of a replica that was refused, each time anew', async () => {
    const { story } = await play(
      `${pushed(web())}backends: {
        sold-out: {offers: [{price: 1}], faults: [{kind: no-capacity, hidden: true}]},
        dear: {offers: [{price: 2}]}}`,
    );
    const tried = story.filter(({ t, replica }) => t === 0 && replica === 'web-1');
    expect(tried.map(({ event, group, backend }) => [event, group, backend])).toEqual([
      ['replica-created', '0', 'sold-out'],
      ['failure', '0', 'sold-out'],
    ]);
  });

  test('counts the least that was ready of each service that ever was complete, and of them all', async () => {
    const { summary } = await play(
      `commits: [{files: {web.dstack.yml: ${web()}, api.dstack.yml: {type: service, port: 1, commands: [a]}}}]
duration: 20m
replicas: {"web#1": {crash_after: 5m}, api: {start: never}}`,
    );
    expect(summary.services).toMatchObject({ web: { minReady: 1 }, api: { minReady: null } });
    expect(summary.minReady).toBe(1);
  });

  test('tells since when all is as asked, which a scenario may bound', async () => {
    const quota = (to: string, more: string) =>
      play(`${pushed(web())}backends: {c: {faults: [{kind: quota, to: ${to}}]}}\nexpect: ${more}`);
    const { summary, story } = await quota(
      '5m',
      '{converged: "<= 10m", services: {web: {converged: "> 300"}}}',
    );
    expect(summary.unmet).toEqual([]);
    expect(summary.converged).toBe(story.findLast(({ event }) => event === 'status')?.t);
    const waiting = await quota('30m', '{converged: "<= 10m"}');
    expect(waiting.summary).toMatchObject({
      converged: null,
      unmet: ['converged is null, not <= 10m'],
      services: { web: { converged: null, waiting: [{ reason: 'capacity' }] } },
    });
  });

  test('what was removed is as asked when it is gone', async () => {
    const { summary, story } = await play(`
commits: [{files: {web.dstack.yml: ${web()}}}, {at: 10m, remove: web.dstack.yml}]`);
    expect(summary.converged).toBe(story.findLast(({ event }) => event === 'replica-stopped')?.t);
    expect(summary.converged).toBeGreaterThan(600);
  });

  test('says what was expected and did not come', async () => {
    const { summary } = await play(
      `${pushed(web())}expect: [{at: 10s, services: {web: {ready: ">= 2"}}}, {minReady: 2, services: {wbe: {ready: 1}}}]`,
    );
    expect(summary.unmet[0]).toBe('at 10 s: services.web.ready is 0, not >= 2');
    expect(summary.unmet[1]).toContain('there is no services.wbe; there is web');
    expect(summary.unmet).toHaveLength(2);
  });
});

describe('replicas behave as their entry says:', () => {
  const second = web().replace('v1', 'v2');
  const two = `commits: [{files: {web.dstack.yml: ${web()}}}, {at: 5m, name: next, files: {web.dstack.yml: ${second}}}]
duration: 20m
policy: {rollout: {deadlines: {start: 1m, ready: 1m}}}
`;
  test.each([
    ['of a commit by its number', 'web@2: {start: 20s, crash_after: 10s}', /exited with code 1/],
    ['of a commit by its name', 'web@next: {start: 20s, crash_after: 10s, exit: 7}', /exited with code 7/],
    ['by what the file contains', 'web: {contains: serve v2, ready: never}', /did not become ready/],
    ['that never open their port', 'web@2: {start: never}', /did not open its port/],
  ])('%s', async (_, entry, reason) => {
    const { web: service } = await play(`${two}replicas: {${entry}}`);
    expect(service).toMatchObject({ deployment: 1, status: 'degraded', minReady: 2 });
    expect(service?.rollout?.reason).toMatch(reason);
  });

  test('the more exact entry goes before', async () => {
    const { web: service } = await play(
      `${two}replicas: {web@2: {ready: 5s}, "*": {ready: never}, web: {ready: 10s}}`,
    );
    expect(service).toMatchObject({ deployment: 2, status: 'running' });
  });

  test('what one that failed printed is kept, with what comes next', async () => {
    const { web: service } = await play(
      `${two}replicas: {web@2: {start: 20s, crash_after: 10s, prints: [loading, CUDA out of memory]}}`,
    );
    expect(service?.failure).toMatchObject({
      replica: 'web-5',
      deployment: 2,
      log: ['loading', 'CUDA out of memory'],
    });
    expect(service?.next).toMatch(/^Push a fix/);
  });

  test('with GPUs that have nothing to do for as long as `utilization_policy` allows, they are ended', async () => {
    const gpus = web(
      ', resources: {gpu: T4}, utilization_policy: {min_gpu_utilization: 20, time_window: 10m}',
    );
    const stopsAt = async (behaviour: string) => {
      const { story } = await play(`
backends: {cloud: {offers: [{gpu: T4}]}}
commits: [{files: {web.dstack.yml: ${gpus}}}]
replicas: {web: ${behaviour}}
duration: 3h`);
      return Math.round((story.find(({ event }) => event === 'stopped')?.t ?? 0) / 60);
    };
    expect(await stopsAt('{gpu_use: 90%}')).toBe(0);
    expect(await stopsAt('{start: 5s}')).toBe(0);
    expect(await stopsAt('{gpu_use: 10%}')).toBe(11);
    expect(await stopsAt('{idle_after: 1h}')).toBe(71);
    expect(await stopsAt('{idle_after: never, gpu_use: 25%}')).toBe(0);
  });

  test('without probes, readiness is the port', async () => {
    const { web: service } = await play(`${pushed(web('', false))}replicas: {web: {never_ready: true}}`);
    expect(service).toMatchObject({ ready: 0, minReady: null });
    const { summary, web: flapping } = await play(
      `${pushed(web('', false))}replicas: {"web#1": {flaps: {every: 4m, for: 30s}}}\ntraffic: {web: {from: 2m, rps: 10}}`,
    );
    expect(flapping).toMatchObject({ ready: 2, minReady: 1 });
    expect(summary.requests.failed).toBe(0);
  });
});

describe('a fault', () => {
  const bad = (fault: string) =>
    `${pushed(web())}backends: {c: {faults: [${fault}]}}\ntraffic: {web: {from: 3m, rps: 10}}`;

  test('of capacity is waited for where offers say so, and found out by ordering where they do not', async () => {
    const seen = await play(
      `${bad('{kind: no_capacity, to: 4m}')}\nexpect: {at: 2m, services: {web: {waiting: [capacity]}}}`,
    );
    expect(seen.summary.unmet).toEqual([]);
    expect(seen.story.some(({ event }) => event === 'failure')).toBe(false);
    const found = await play(bad('{kind: quota, to: 4m, hidden: true}'));
    expect(found.story.some(({ reason }) => reason?.includes('quota of standard'))).toBe(true);
    expect([seen.web?.status, found.web?.status]).toEqual(['running', 'running']);
  });

  test('that cuts the network touches no replica and fails no request, even if the reconciler dies in it', async () => {
    const { web: service, summary } = await play(
      `${bad('{kind: partition, from: 5m, for: 5m}')}\nreconciler: {crashes: [7m]}`,
    );
    expect(service).toMatchObject({ status: 'running', minReady: 2, maxLive: 2 });
    expect(summary).toMatchObject({ crashes: 1, requests: { failed: 0 } });
  });

  test('that loses a machine is healed', async () => {
    const { web: service, story } = await play(bad('{kind: instance-lost, at: 5m, replica: web-2}'));
    expect(story.find(({ event }) => event === 'instance-lost')).toMatchObject({
      t: 300,
      replica: 'web-2',
      backend: 'c',
    });
    expect(service).toMatchObject({ status: 'running', ready: 2, minReady: 1 });
  });

  test('of the API delays, and doubles nothing', async () => {
    const { web: service, summary } = await play(bad('{kind: api-errors, rate: 60%, effect: after, to: 8m}'));
    expect(service).toMatchObject({ status: 'running', ready: 2, maxLive: 2 });
    expect(summary.violations).toEqual([]);
  });
});

test('a service that sleeps is woken by a request, which is held meanwhile', async () => {
  const file = web(', scaling: {metric: rps, target: 10}', false).replace('replicas: 2', 'replicas: 0..2');
  const { web: service, summary } = await play(`${pushed(file)}traffic: {web: {from: 5m, to: 6m, rps: 1}}`);
  expect(summary.requests).toEqual({ ok: 60, failed: 0 });
  expect(service).toMatchObject({ maxLive: 1 });
});

test('dying at every step changes nothing of how it ends', async () => {
  const text = `${pushed(web())}traffic: {web: {from: 3m, rps: 10}}`;
  const [plain, dying] = [await play(text), await play(`${text}\nreconciler: {crashes: every-step}`)];
  expect(dying.summary.crashes).toBeGreaterThan(20);
  expect(dying.summary.violations).toEqual([]);
  const { status, deployment, ready, maxLive, requests } = plain.web ?? {};
  expect(dying.web).toMatchObject({ status, deployment, ready, maxLive, requests });
});

test('mistakes in what is no service are in the summary, and can be expected', async () => {
  const files = (policy: string, more = '') =>
    `commits: {files: {web.dstack.yml: ${web()}, trueup.yml: ${policy}${more}}}\nduration: 2m\n`;
  const wrong = files('{rollout: {surge: many}}', ', .dstack/profiles.yml: {profiles: none}');
  const { summary } = await play(
    `${wrong}expect: {problems: [{file: trueup.yml, path: rollout.surge}, .dstack/profiles.yml]}`,
  );
  expect(summary.unmet).toEqual([]);
  expect(summary.problems?.[0]).toMatchObject({ severity: 'error', line: 2, message: expect.any(String) });
  const missed = await play(`${files('{rollout: {surge: 2}}')}expect: {problems: [trueup.yml]}`);
  expect(missed.summary.unmet).toEqual([expect.stringMatching(/^there is no problems; there is /)]);
  expect(missed.summary).not.toHaveProperty('problems');
});

test('what it speaks of and no commit has is told, once for each', async () => {
  const text = `${pushed(web())}traffic: {web: 1, wbe: 1}
replicas: {web@1: {}, web/0: {}, "*": {}, web@7: {}, web/workers: {}, api: {}}`;
  const { strays } = await play(text);
  expect(strays.map(({ path, message, fix }) => `${path.join('.')}: ${message}. ${fix}`)).toEqual([
    'traffic.wbe: no commit has a service `wbe`. Did you mean `web`?',
    'replicas.api: no commit has what `api` is for. Correct it, or remove it.',
    'replicas.web/workers: no commit has what `web/workers` is for. Correct it, or remove it.',
    'replicas.web@7: no commit has what `web@7` is for. Correct it, or remove it.',
  ]);
});
