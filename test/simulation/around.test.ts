// What a run tells of fleets and volumes: in its summary, in what may be expected of it, in its picture, and of the faults
// that befall their machines.
import { describe, expect, test } from 'vitest';
import { render } from '../../reconciler/cli/screen.ts';
import { summaryBlocks } from '../../reconciler/view/run.ts';
import { timelineBlocks } from '../../reconciler/view/timeline.ts';
import { play, scenario, web } from './scenarios.ts';

const SCREEN = { width: 80, height: 24, colour: false, live: false };

const fleet = (nodes: string) =>
  `pool.dstack.yml: {type: fleet, name: pool, nodes: ${nodes}, idle_duration: 4m}`;
const volume = 'data.dstack.yml: {type: volume, name: data, backend: aws, region: here, size: 10GB}';

/** Two kept machines, one of them for `web`, which is gone after five minutes. */
const told = (more = '') => `
duration: 12m
backends: {aws: {boot: 1m, offers: [{instance: big, region: here, price: 1, capacity: 2}]}}
commits:
  - files:
      ${fleet('2..2')}
      ${volume}
      web.dstack.yml: ${web(', fleets: [pool], volumes: ["data:/data"]').replace('replicas: 2', 'replicas: 1')}
  - {at: 5m, remove: [web.dstack.yml], files: {${fleet('1..2')}}}
${more}`;

describe('the summary', () => {
  test('counts machines, those that are used and idle, and says who holds which volume', async () => {
    const { summary } = await play(told('expect: [{at: 4m, fleets: {pool: {machines: 2, used: 1}}}]'));
    expect(summary.unmet).toEqual([]);
    expect(summary.fleets).toEqual({ pool: { machines: 1, used: 0, idle: 1, kept: 1 } });
    expect(summary.volumes).toEqual({ data: { phase: 'ready', heldBy: [] } });
  });

  test('may be expected to say so, and its names are checked', async () => {
    const { summary } = await play(
      told(
        'expect: [{at: 4m, volumes: {data: {heldBy: [web-1]}}, fleets: {pool: {idle: 1}}}, {at: 4m, fleets: {pool: {used: 2}, other: null}}]',
      ),
    );
    expect(summary.unmet).toEqual(['at 240 s: fleets.pool.used is 1, not 2']);
    expect(() => scenario(told('expect: {fleets: {pool: {ussed: 1}}}'))).toThrow(
      '`ussed` is not in the summary of a fleet',
    );
    expect(() => scenario(told('expect: {volumes: {data: {fase: ready}}}'))).toThrow(
      '`fase` is not in the summary of a volume',
    );
  });

  test('says what a fleet and a volume wait for, in seconds', async () => {
    const { summary } = await play(`
duration: 5m
commits:
  - at: 1m
    files:
      pool.dstack.yml: {type: fleet, name: pool, nodes: 1, resources: {gpu: H100}}
      data.dstack.yml: {type: volume, name: data, backend: gcp, region: eu, size: 10GB}
expect: {fleets: {pool: {waiting: [capacity]}}, volumes: {data: {waiting: [backend]}}}`);
    expect(summary.unmet).toEqual([]);
    expect(summary.fleets?.pool?.waiting).toMatchObject([{ reason: 'capacity', since: 60, until: null }]);
    const text = render(summaryBlocks(summary), SCREEN);
    expect(text).toContain('FLEET  MACHINES  USED  IDLE  KEPT\npool   0         0     0     1\n');
    expect(text).toContain('VOLUME  PHASE     HELD BY\ndata    creating  nobody\n');
    expect(text).toMatch(/waits +fleet:pool capacity since 1:00: 1 of 1 kept machines/);
  });

  test('says nothing of them where there are none', async () => {
    const { summary } = await play(`
commits: [{files: {web.dstack.yml: ${web()}}}]
duration: 5m
expect: {fleets: {pool: null}}`);
    expect(summary).not.toHaveProperty('fleets');
    expect(summary).not.toHaveProperty('volumes');
    expect(summary.unmet).toEqual([]);
  });
});

describe('the picture', () => {
  test('has a lane for each machine: who had it, and while nobody did', async () => {
    const { lanes, machines, spells, deaths, story } = await play(told());
    const one = scenario(told());
    const blocks = timelineBlocks({ ...one, lanes, machines, spells, deaths, services: ['web'] }, 60);
    const text = render(blocks, { ...SCREEN, width: 60 });
    expect(text.slice(text.indexOf('fleet pool'))).toBe(
      [
        'fleet pool',
        '  pool-m1    ····web-1━━━━━━━━━━━┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄',
        '  pool-m2    ····┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄',
        '',
        '  ░ starting  █ ready  ▂ draining  ‥ ending  ',
        '  · being made  ━ used  ┄ idle  ‥ given back',
        '',
      ].join('\n'),
    );
    expect(story.find(({ event }) => event === 'machine-ending')).toMatchObject({ t: 300 });
  });

  test('fits 80 columns, whatever the names', async () => {
    const long = 'a-rather-long-name-of-a-fleet';
    const { lanes, machines } = await play(
      told().replaceAll('name: pool', `name: ${long}`).replaceAll('[pool]', `[${long}]`),
    );
    const one = { durationMs: 720_000, commits: [], spells: [], deaths: [], services: ['web'] };
    const lines = render(timelineBlocks({ ...one, lanes, machines }, 80), SCREEN).split('\n');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
    expect(lines.join('\n')).toContain(`fleet ${long}\n  a-rather-long-name-…`);
  });
});

describe('a fault', () => {
  test.each([
    ['{kind: no-capacity, instance: big, region: here, for: 1m}', 'cloud: no-capacity of big in here'],
    ['{kind: quota, spot: true, for: 1m}', 'cloud: quota, spot'],
    [
      '{kind: api-errors, operations: [create, clear], rate: 30%, for: 1m}',
      'cloud: api-errors (create, clear; 30% of calls)',
    ],
    ['{kind: rate-limited, for: 1m}', 'cloud: rate-limited'],
    ['{kind: slow, by: 8s, times: 3, for: 1m}', 'cloud: slow (8 s longer; machines take 3 times as long)'],
    [
      '{kind: instance-lost, service: web, count: 2, every: 5m}',
      'cloud: instance-lost of web, 2 at a time, every 5m',
    ],
    ['{kind: partition, for: 1m}', 'cloud: partition'],
  ])('%s says what it concerns', async (fault, reason) => {
    const { story } = await play(`
duration: 3m
backends: {cloud: {faults: [${fault}]}}
commits: [{at: 2m, files: {web.dstack.yml: ${web()}}}]`);
    const told = (event: string) => story.find((each) => each.event === event)?.reason;
    expect(told('fault-began')).toBe(reason);
    if (!fault.includes('every')) expect(told('fault-ended')).toBe(`${reason} is over`);
  });

  test('may name a machine of a fleet, or the replica on it', async () => {
    const lost = async (replica: string) => {
      const { story } = await play(
        told().replace('offers:', `faults: [{kind: instance-lost, at: 3m, replica: ${replica}}], offers:`),
      );
      const of = (name: string) => story.filter(({ event }) => event === name);
      return [
        of('machine-lost').map(({ replica: name }) => name),
        of('instance-lost').map(({ reason }) => reason),
      ];
    };
    expect(await lost('pool-m2')).toEqual([['pool-m2'], ['pool-m2, which nobody uses, was taken away']]);
    expect(await lost('web-1')).toEqual([['pool-m1'], ['pool-m1, the machine of web-1, was taken away']]);
  });
});
