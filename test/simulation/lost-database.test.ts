// The database is lost, and the reconciler starts again on an empty one: what runs is known by its tags alone.
import { describe, expect, test } from 'vitest';
import { play } from './scenarios.ts';

const PROBES = 'probes: [{type: http, url: /, interval: 5s, ready_after: 1}]';
const service = (name: string, more = '') =>
  `${name}.dstack.yml: {type: service, name: ${name}, port: 80, commands: [serve], ${PROBES}${more}}`;
const volume = 'data.dstack.yml: {type: volume, name: data, backend: aws, region: here, size: 10GB}';
const lost = (files: string, more = '') => `
backends: {aws: {offers: [{region: here}]}}
commits: [{files: {${files}}}]
reconciler: {crashes: [{at: 10m, database: lost}]}
duration: 30m
${more}`;

type Played = Awaited<ReturnType<typeof play>>;

const machines = ({ story }: Played) =>
  story.flatMap(({ event, replica }) => (event === 'machine-created' ? [replica] : []));
const fine = ({ summary }: Played) => {
  const { violations, leaked, unmet } = summary;
  expect({ violations, leaked, unmet }).toEqual({ violations: [], leaked: 0, unmet: [] });
};
/** When something of the service was last said to be ready. */
const readyAt = ({ story }: Played, name: string) =>
  story.findLast(({ event, service: of }) => event === 'replica-ready' && of === name)?.t ?? 0;

describe('when the database is lost', () => {
  test('a service with machines of its own goes on as if nothing had been', async () => {
    const played = await play(lost(service('web', ', replicas: 2'), 'traffic: {web: [{from: 2m, rps: 5}]}'));
    fine(played);
    expect(played.summary.requests.failed).toBe(0);
    expect(played.web).toMatchObject({ status: 'running', ready: 2, maxLive: 2 });
  });

  test('a fixed fleet has the machines it had, and its services are there again within a minute', async () => {
    const played = await play(
      lost(
        `pool.dstack.yml: {type: fleet, name: pool, nodes: 3, resources: {cpu: 4..}},
         ${service('web', ', replicas: 2, fleets: [pool], resources: {cpu: 8}')}`,
      ),
    );
    fine(played);
    expect(machines(played)).toEqual(['pool-m1', 'pool-m2', 'pool-m3']);
    expect(played.web).toMatchObject({ status: 'running', ready: 2 });
    expect(readyAt(played, 'web')).toBeLessThan(660);
  });

  test('what a fleet gave above its least number is used again, or given back', async () => {
    const played = await play(
      lost(
        `pool.dstack.yml: {type: fleet, name: pool, nodes: 0..4, idle_duration: 5m},
         ${service('web', ', replicas: 3, fleets: [pool]')}`,
      ),
    );
    fine(played);
    expect(played.web).toMatchObject({ status: 'running', ready: 3 });
    expect(played.summary.fleets?.pool).toMatchObject({ machines: 3, used: 3 });
  });

  test('so is what the pool of idle machines has', async () => {
    const played = await play(lost(service('web', ', replicas: 2, idle_duration: 1h')));
    fine(played);
    expect(played.web).toMatchObject({ status: 'running', ready: 2 });
    expect(played.summary.fleets?.idle).toMatchObject({ machines: 2, used: 2 });
  });

  test('a volume is found again, and no second one is made', async () => {
    const played = await play(
      lost(`${volume}, pool.dstack.yml: {type: fleet, name: pool, nodes: 2},
            ${service('web', ', fleets: [pool], volumes: ["data:/data"]')}`),
    );
    fine(played);
    expect(played.web).toMatchObject({ status: 'running', ready: 1 });
    expect(played.summary.volumes).toEqual({
      data: { phase: 'ready', heldBy: [expect.stringMatching(/^web-/)] },
    });
    expect(readyAt(played, 'web')).toBeLessThan(660);
  });

  test('machines of a fleet that no file declares any more are ended', async () => {
    const played = await play(`
commits:
  - files: {pool.dstack.yml: {type: fleet, name: pool, nodes: 2}}
  - {at: 590s, remove: [pool.dstack.yml]}
backends: {cloud: {faults: [{kind: api-errors, operations: [terminate], effect: before, from: 9m, to: 11m}]}}
reconciler: {crashes: [{at: 10m, database: lost}]}
duration: 30m`);
    fine(played);
    expect(played.summary.maxLive).toBe(2);
    expect(played.story.filter(({ event }) => event === 'orphan-removed')).toHaveLength(2);
  });

  test('nothing is made anew while a cloud cannot tell what there is', async () => {
    const played = await play(
      lost(
        `pool.dstack.yml: {type: fleet, name: pool, nodes: 2}, ${service('web', ', fleets: [pool]')}`,
      ).replace(
        'backends: {aws: {offers: [{region: here}]}}',
        'backends: {aws: {faults: [{kind: partition, from: 9m, to: 12m}]}}',
      ),
    );
    fine(played);
    expect(machines(played)).toEqual(['pool-m1', 'pool-m2']);
    expect(played.web).toMatchObject({ status: 'running', ready: 1 });
  });
});
