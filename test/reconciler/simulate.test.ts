// `trueup simulate` as people and programs call it: the picture, the lines, the exit codes.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { render, type Screen } from '../../reconciler/cli/screen.ts';
import { storyBlocks } from '../../reconciler/view/run.ts';
import { clockText, timelineBlocks } from '../../reconciler/view/timeline.ts';

const CLI = join(import.meta.dirname, '../../reconciler/cli.ts');
const WEB =
  'commits: [{files: {web.dstack.yml: {type: service, name: web, port: 80, commands: [serve]}}}]\nduration: 5m\n';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trueup-simulate-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function simulate(text: string, ...args: readonly string[]): Promise<Ended> {
  writeFileSync(join(folder, 'test.yml'), text);
  return trueup(['simulate', 'test.yml', ...args]);
}

function trueup(args: readonly string[], input = ''): Promise<Ended> {
  const env = { PATH: process.env.PATH, COLUMNS: '80' };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [CLI, ...args], { cwd: folder, env }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
    child.stdin?.end(input);
  });
}

describe('trueup simulate', () => {
  test('prints a picture, the story and the summary, within the width', async () => {
    const { code, out, err } = await simulate(WEB);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^ {2}web-1 @1 .*░+.*█+$/m);
    expect(out).toMatch(/0:42 web replica-ready +web-1 is ready/);
    expect(out).toMatch(/^web +running +1\/1/m);
    expect(out).toContain('all held, and nothing leaked');
    expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect(out).not.toContain('\x1b');
  });

  test('shows what is wrong with a file that is no service', async () => {
    const { out } = await simulate(WEB.replace('files: {', "files: {trueup.yml: 'rollouts: {}', "));
    expect(out).toMatch(/^ +error +trueup\.yml:1 .*rollouts/m);
  });

  test('prints lines of JSON, the summary last, and nothing else', async () => {
    const { code, out, err } = await simulate(WEB, '--json', '--seed', '5');
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect([code, err]).toEqual([0, '']);
    expect(lines.at(-1)).toMatchObject({
      summary: {
        services: { web: { deployment: 1, ready: 1, desired: 1, status: 'running' } },
        minReady: 1,
        maxLive: 1,
        requests: { ok: 0, failed: 0 },
        leaked: 0,
        violations: [],
        seed: 5,
      },
    });
    for (const line of lines.slice(0, -1))
      expect(line).toMatchObject({ t: expect.any(Number), event: expect.any(String) });
  });

  test('says in full what each service waits for, and shows those that have no replica', async () => {
    const dear = WEB.replace('serve]', 'serve], max_price: 0.5');
    const { code, out } = await simulate(dear);
    expect(code).toBe(0);
    expect(out).toMatch(/^web\n {2}no replica$/m);
    expect(out.replace(/\s+/g, ' ')).toContain(
      'waits web capacity since 0:00: no backend offers what the configuration asks for: on-demand, at most 0.50 $/h',
    );
    expect(out).not.toContain('creating');
    expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  test('shows what failed, with its last lines', async () => {
    const { out } = await simulate(
      `${WEB}replicas: {web: {start: 9s, crash_after: 3s, prints: [out of memory]}}`,
    );
    expect(out).toMatch(/^ {2}failed +web \d:\d\d: web-\d: exited with code 1\n +│ out of memory$/m);
  });

  test('reads standard input in place of a file, and no folder', async () => {
    const { code, out } = await trueup(['simulate', '-', '--json'], WEB);
    expect([code, out.includes('"status":"running"')]).toEqual([0, true]);
    const refused = await trueup(['simulate', '.']);
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('. is a folder')]);
  });

  test('ends with 1 when something is not as expected', async () => {
    const { code, out } = await simulate(`${WEB}expect: {services: {web: {ready: 2}}}`);
    expect(code).toBe(1);
    expect(out).toContain('services.web.ready is 1, not 2');
  });

  test('ends with 2, and says where, when the scenario cannot be read', async () => {
    const { code, out, err } = await simulate(`${WEB}durations: 5m`, '--json');
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('test.yml:3:1');
    expect(err).toContain('Did you mean `duration`?');
  });
});

describe('a picture', () => {
  const screen: Screen = { width: 60, height: 24, colour: false, live: false };
  const lane = (replica: string, ...stretches: readonly (readonly [string, number, number])[]) => ({
    service: 'web',
    replica,
    number: Number(replica.split('-')[1]),
    group: '0',
    deployment: 1,
    stretches: stretches.map(([phase, from, to]) => ({ phase, from: from * 1000, to: to * 1000 }) as never),
  });

  test('shows commits, faults, deaths and every replica over time', () => {
    const blocks = timelineBlocks(
      {
        durationMs: 460_000,
        commits: [
          { number: 1, atMs: 0 },
          { number: 2, atMs: 200_000 },
        ],
        spells: [
          { backend: 'aws', kind: 'quota', about: '', fromMs: 200_000, toMs: 400_000 },
          { backend: 'gcp', kind: 'partition', about: '', fromMs: 10_000, toMs: 20_000 },
        ],
        deaths: [300_000],
        services: ['web', 'idle'],
        lanes: [
          lane(
            'web-2',
            ['creating', 0, 30],
            ['starting', 30, 50],
            ['ready', 50, 300],
            ['terminating', 300, 310],
          ),
          lane(
            'web-1',
            ['creating', 0, 30],
            ['ready', 30, 350],
            ['draining', 350, 400],
            ['stopping', 400, 420],
          ),
        ],
      },
      60,
    );
    expect(render(blocks, screen)).toBe(
      [
        '             ╷0:00       ╷2:00       ╷4:00       ╷6:00',
        '  commits    1                   2',
        '  aws                            ━ quota ━━━━━━━━━━━━',
        '  gcp         ━ partition',
        '  reconciler                               ×',
        '',
        'web',
        '  web-1 @1   ···█████████████████████████████████▂▂▂▂▂‥‥',
        '  web-2 @1   ···░░█████████████████████████×‥',
        '',
        'idle',
        '  no replica',
        '',
        '  · creating  ░ starting  █ ready  ▂ draining  ‥ ending  × died',
        '',
      ].join('\n'),
    );
  });

  test('names the group of a replica where there are several', () => {
    const lanes = ['a', 'b'].map((group, index) => ({
      ...lane(`web-${index + 1}`, ['ready', 0, 60]),
      group,
    }));
    const picture = (...shown: typeof lanes) =>
      render(
        timelineBlocks(
          { durationMs: 60_000, commits: [], spells: [], deaths: [], services: ['web'], lanes: shown },
          60,
        ),
        screen,
      );
    expect(picture(...lanes)).toMatch(/web-1 a @1 +█+\n {2}web-2 b @1 +█/);
    expect(picture(...lanes.slice(0, 1))).toMatch(/web-1 @1 +█/);
  });

  test('tells a long story without its small steps, and its end', () => {
    const story = Array.from({ length: 200 }, (_, t) => ({
      t,
      event: t % 2 ? 'failure' : 'status',
      service: 'web',
      reason: `number ${t}`,
    }));
    const lines = render(storyBlocks(story), screen).trimEnd().split('\n');
    expect(lines).toHaveLength(41);
    expect(lines[0]).toContain('number 1');
    expect(lines.at(-1)).toContain('number 199');
    expect(lines[27]).toBe('… 160 more (--json has all)');
  });

  test('writes times as clocks do', () => {
    expect([0, 59.9, 61, 3600, 90_061].map(clockText)).toEqual([
      '0:00',
      '0:59',
      '1:01',
      '1:00:00',
      '25:01:01',
    ]);
  });
});
