// A service, or a group of one, that is called otherwise: a rollout, not an outage. The old name goes on until the new one has
// been rolled out, and where there is no room for both it hands over replica by replica.
import { describe, expect, test } from 'vitest';
import { play } from './scenarios.ts';

/** What happens to three replicas of `web` when their file calls them `site`, in a pool of so many machines. */
const renamed = (capacity: number, more = '', policy = 'unavailable: 1', file = '') => `
backends: {pool: {boot: 20s, capacity: ${capacity}}}
policy: {rollout: {${policy}}}
commits:
  - files: {a.dstack.yml: &web {type: service, name: web, port: 80, commands: [serve], replicas: 3}}
  - {at: 5m, files: {a.dstack.yml: {<<: *web, name: site${file}}}}
duration: 40m
${more}`;

/** Clients go over to the new name as soon as some of it is there. */
const TRAFFIC = 'traffic: {web: {from: 2m, to: 5m40s, rps: 10}, site: {from: 5m40s, rps: 10}}';

const FINE = { violations: [], leaked: 0 };

async function handsOver(scenario: string) {
  const played = await play(scenario);
  expect(played.summary).toMatchObject({ ...FINE, removed: ['web'], requests: { failed: 0 } });
  expect(played.summary.services.site).toMatchObject({ status: 'running', ready: 3 });
  expect(played.summary.converged).not.toBeNull();
  return played;
}

const toldOf = ({ story }: Awaited<ReturnType<typeof play>>, event: string) =>
  story.filter((line) => line.event === event && line.t >= 300).map(({ replica }) => replica);

describe('a service that is called otherwise', () => {
  test('with room for both stays whole until the new one is', async () => {
    const played = await handsOver(renamed(6, TRAFFIC));
    expect(played.summary.minReady).toBe(3);
    const ends = played.story.filter(({ event }) => event === 'replica-draining');
    expect(ends.map(({ reason }) => reason?.includes('is removed'))).toEqual([true, true, true]);
  });

  test('in a full pool hands over one by one, where one may be missing', async () => {
    const played = await handsOver(renamed(3, TRAFFIC));
    expect(toldOf(played, 'replica-draining')).toEqual(['web-3', 'web-2', 'web-1']);
    expect(played.summary.maxLive).toBe(3);
  });

  test('with room for one more hands over one by one, though none may be missing', async () => {
    const played = await handsOver(renamed(4, TRAFFIC, 'unavailable: 0'));
    expect(toldOf(played, 'replica-draining').slice(0, 2)).toEqual(['web-3', 'web-2']);
  });

  test('in a full pool where none may be missing waits, and says what helps', async () => {
    const { summary, web } = await play(renamed(3, '', 'unavailable: 0'));
    expect(web).toMatchObject({ status: 'running', ready: 3, minReady: 3 });
    expect(web?.waiting).toMatchObject([
      { reason: 'rename', detail: 'it is called site now, and ends once that has been rolled out' },
    ]);
    expect(summary.services.site?.waiting).toMatchObject([
      { reason: 'cannot-surge', detail: expect.stringContaining('`unavailable: 1` in trueup.yml') },
    ]);
  });

  test('goes by what the policy of the new name says, and goes on as soon as that allows it', async () => {
    const policy = { at: '10m', files: { 'trueup.yml': 'services: {site: {rollout: {unavailable: 1}}}' } };
    const { summary } = await play(
      renamed(3, '', 'unavailable: 0').replace('duration', `  - ${JSON.stringify(policy)}\nduration`),
    );
    expect(summary).toMatchObject({ ...FINE, removed: ['web'] });
  });

  test('in a full pool gives way all at once, where all may be missing', async () => {
    const played = await play(renamed(3, '', 'unavailable: 3'));
    expect(toldOf(played, 'replica-draining')).toEqual(['web-1', 'web-2', 'web-3']);
    expect(played.summary).toMatchObject({ ...FINE, removed: ['web'] });
  });

  test('says that it gives way, and is rolling meanwhile', async () => {
    const scenario = renamed(3, 'expect: {at: 5m20s, services: {web: {status: rolling, ready: 2}}}');
    const { summary, web } = await play(scenario.replace('duration: 40m', 'duration: 5m20s'));
    expect(summary.unmet).toEqual([]);
    expect(web?.waiting).toMatchObject([{ detail: expect.stringContaining('gives way') }]);
  });

  test('is known by its file where it is made of something else as well', async () => {
    await handsOver(renamed(3, TRAFFIC, 'unavailable: 1', ', commands: [serve better]'));
    await handsOver(renamed(6, TRAFFIC, 'unavailable: 0', ', commands: [serve better]'));
  });

  test('hands over its groups, whatever they are called by then', async () => {
    const { summary } = await play(`
backends: {pool: {boot: 20s, capacity: 4}}
policy: {rollout: {unavailable: 1}}
commits:
  - files: {a.dstack.yml: &web {type: service, name: web, port: 80, groups: [{name: a, replicas: 3, commands: [a]}, {name: b, replicas: 1, commands: [b]}]}}
  - {at: 5m, files: {a.dstack.yml: {<<: *web, name: site, groups: [{name: c, replicas: 3, commands: [a]}, {name: b, replicas: 1, commands: [b]}]}}}
duration: 40m`);
    expect(summary).toMatchObject({ ...FINE, removed: ['web'] });
    expect(summary.services.site).toMatchObject({ status: 'running', ready: 4, minReady: 4 });
  });

  test('hands over the machines of a fleet', async () => {
    const { summary } = await play(`
policy: {rollout: {unavailable: 1}}
commits:
  - files:
      pool.dstack.yml: {type: fleet, name: pool, nodes: 3}
      a.dstack.yml: &web {type: service, name: web, port: 80, commands: [serve], replicas: 3, fleets: [pool]}
  - {at: 5m, files: {a.dstack.yml: {<<: *web, name: site}}}
duration: 20m`);
    expect(summary).toMatchObject({ ...FINE, removed: ['web'], maxLive: 3 });
    expect(summary.services.site).toMatchObject({ status: 'running', ready: 3 });
  });
});

describe('a new name', () => {
  const onlyWeb = 'traffic: {web: {from: 2m, rps: 10}}\n';

  test('that ends as soon as it is ready does not take over', async () => {
    const { summary, web } = await play(renamed(9, `${onlyWeb}replicas: {site: {crash_after: 6s}}`));
    expect(web).toMatchObject({ status: 'running', ready: 3, minReady: 3, requests: { failed: 0 } });
    expect(web?.waiting).toMatchObject([{ reason: 'rename' }]);
    expect(summary).toMatchObject(FINE);
  });

  test('that does not start gives back in a full pool what it was given, and is not given it again', async () => {
    const played = await play(renamed(3, `${onlyWeb}replicas: {site: {crash_after: 6s}}`));
    expect(played.web).toMatchObject({ status: 'running', ready: 3, minReady: 2, requests: { failed: 0 } });
    expect(toldOf(played, 'replica-draining')).toEqual(['web-3']);
    expect(played.summary.services.site?.waiting).toMatchObject([
      { reason: 'capacity', detail: expect.stringContaining('web makes no more room') },
    ]);
  });

  test('that does not start takes over once it is mended', async () => {
    const mended = '{at: 20m, files: {a.dstack.yml: {<<: *web, name: site, commands: [serve well]}}}';
    const scenario = renamed(3, 'replicas: {site@2: {crash_after: 6s}}');
    const { summary } = await play(scenario.replace('duration', `  - ${mended}\nduration`));
    expect(summary).toMatchObject({ ...FINE, removed: ['web'] });
    expect(summary.services.site).toMatchObject({ status: 'running', ready: 3 });
  });

  test('that is made of something else midway is rolled out to the end', async () => {
    const other = '{at: 6m50s, files: {a.dstack.yml: {<<: *web, name: site, commands: [serve better]}}}';
    const { summary } = await play(renamed(3).replace('duration', `  - ${other}\nduration`));
    expect(summary).toMatchObject({ ...FINE, removed: ['web'] });
    expect(summary.services.site).toMatchObject({ status: 'running', deployment: 2, ready: 3 });
  });

  test('that is taken back midway hands back what it had', async () => {
    const back = '{at: 6m, files: {a.dstack.yml: *web}}';
    const played = await play(renamed(3, onlyWeb).replace('duration', `  - ${back}\nduration`));
    expect(played.summary).toMatchObject({ ...FINE, removed: ['site'], requests: { failed: 0 } });
    expect(played.web).toMatchObject({ status: 'running', ready: 3 });
    expect(played.summary.converged).not.toBeNull();
  });

  test('that is given up for a third one midway lets that one take over from both', async () => {
    const third = '{at: 6m30s, files: {a.dstack.yml: {<<: *web, name: page}}}';
    const played = await play(renamed(3).replace('duration', `  - ${third}\nduration`));
    expect(played.summary).toMatchObject({ ...FINE, removed: ['web', 'site'] });
    expect(played.summary.services.page).toMatchObject({ status: 'running', ready: 3 });
  });

  test('of a service that fails to change leaves alone what it returned to', async () => {
    const { summary, web } = await play(`
backends: {pool: {boot: 20s, capacity: 3}}
policy: {rollout: {unavailable: 1}}
commits:
  - files: {a.dstack.yml: &web {type: service, name: web, port: 80, commands: [serve], replicas: 3}}
  - {at: 5m, files: {a.dstack.yml: {<<: *web, commands: [bad]}}}
  - {at: 15m, files: {a.dstack.yml: {<<: *web, name: site, commands: [bad]}}}
replicas: {web@2: {crash_after: 5s}, site: {crash_after: 5s}}
traffic: {web: {from: 2m, rps: 10}}
duration: 40m`);
    expect(web).toMatchObject({ deployment: 1, ready: 3, minReady: 2, requests: { failed: 0 } });
    expect(summary).toMatchObject(FINE);
  });
});

test.each([3, 4, 6])('a rename in a pool of %i survives a crash at every step', async (capacity) => {
  const { summary } = await handsOver(renamed(capacity, `${TRAFFIC}\nreconciler: {crashes: every-step}`));
  expect(summary.crashes).toBeGreaterThan(100);
});

test('a rename that is taken back survives a crash at every step', async () => {
  const back = '{at: 6m, files: {a.dstack.yml: *web}}';
  const scenario = renamed(3, 'traffic: {web: {from: 2m, rps: 10}}\nreconciler: {crashes: every-step}');
  const { summary } = await play(scenario.replace('duration', `  - ${back}\nduration`));
  expect(summary).toMatchObject({ ...FINE, removed: ['site'], requests: { failed: 0 } });
  expect(summary.crashes).toBeGreaterThan(100);
});

test('a group that is called otherwise in a full pool is replaced one by one, where one may be missing', async () => {
  const scenario = (policy: string) => `
backends: {pool: {boot: 20s, capacity: 3}}
policy: {rollout: {${policy}}}
commits:
  - files: {a.dstack.yml: &web {type: service, name: web, port: 80, groups: [{name: a, replicas: 3, commands: [a]}]}}
  - {at: 5m, files: {a.dstack.yml: {<<: *web, groups: [{name: b, replicas: 3, commands: [a, more]}]}}}
traffic: {web: {from: 2m, rps: 10}}
duration: 20m`;
  const { web, summary } = await play(scenario('unavailable: 1'));
  expect(web).toMatchObject({ status: 'running', deployment: 2, minReady: 2, requests: { failed: 0 } });
  expect(summary).toMatchObject(FINE);
  const stuck = (await play(scenario('unavailable: 0'))).web;
  expect(stuck).toMatchObject({ ready: 3, minReady: 3 });
  expect(stuck?.waiting).toMatchObject([
    { reason: 'cannot-surge', detail: expect.stringContaining('`unavailable: 1` in trueup.yml') },
  ]);
});
