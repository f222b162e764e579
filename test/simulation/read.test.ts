// Scenario files: what may be written in several ways, and what is said of mistakes.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readScenario } from '../../reconciler/simulate/scenario/read.ts';
import { scenario } from './scenarios.ts';

const COMMIT = 'commits: [{files: {web.dstack.yml: {type: service, port: 80, commands: [a]}}}]';

function problemsOf(text: string, path = '/nowhere/test.yml'): string[] {
  const read = readScenario(path, 'test.yml', text);
  if (read.kind === 'scenario') return [];
  return read.problems.map(
    ({ file, line, column, message, fix }) => `${file}:${line}:${column} ${message}. ${fix}`,
  );
}

describe('a scenario', () => {
  test('needs commits and nothing else', () => {
    expect(problemsOf('seed: 1')).toEqual(['test.yml:1:1 `commits` is missing. Add `commits`.']);
    expect(scenario(COMMIT)).toMatchObject({ seed: 1, durationMs: 900_000, traffic: [], crashes: [] });
    expect(scenario(COMMIT).backends.map(({ name, boot }) => [name, boot])).toEqual([
      ['cloud', [30_000, 30_000]],
    ]);
  });

  test.each([
    ['90', 90_000],
    ['0.5', 500],
    ['"90"', 90_000],
    ['200ms', 200],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1h 30m', 5_400_000],
    ['1.5m', 90_000],
  ])('takes %s as a time', (written, ms) => {
    expect(scenario(`${COMMIT}\nduration: ${written}`).durationMs).toBe(ms);
  });

  test.each(['soon', '5x', '-3', '5m5', '', 'true'])('refuses %j as a time', (written) => {
    expect(problemsOf(`${COMMIT}\nduration: "${written}"`)[0]).toMatch(
      /^test\.yml:2:11 .* is not a time\. Write/,
    );
  });

  test('takes files as text or as what they hold, and carries them from commit to commit', () => {
    const { commits } = scenario(`
policy: {rollout: {surge: 2}}
commits:
  - {at: 5m, remove: a.dstack.yml, name: later}
  - at: 0s
    files: {a.dstack.yml: "type: service\\n", b.dstack.yml: {type: service}}
`);
    expect(commits.map(({ number, name, atMs }) => [number, name, atMs])).toEqual([
      [1, null, 0],
      [2, 'later', 300_000],
    ]);
    expect(commits.map(({ files }) => [...files.keys()])).toEqual([
      ['trueup.yml', 'a.dstack.yml', 'b.dstack.yml'],
      ['trueup.yml', 'b.dstack.yml'],
    ]);
    expect(commits[0]?.files.get('b.dstack.yml')).toBe('type: service\n');
  });

  test('has traffic as a rate, an entry or a list, each until the next', () => {
    const text = `${COMMIT}\nduration: 10m\ntraffic: {a: 5, b: {rps: 1..3}, c: [{rps: 1}, {from: 4m, to: 5m, rps: 2, time: 2s}]}`;
    expect(scenario(text).traffic).toEqual([
      { service: 'a', fromMs: 0, toMs: 600_000, rps: [5, 5], requestMs: 100 },
      { service: 'b', fromMs: 0, toMs: 600_000, rps: [1, 3], requestMs: 100 },
      { service: 'c', fromMs: 0, toMs: 240_000, rps: [1, 1], requestMs: 100 },
      { service: 'c', fromMs: 240_000, toMs: 300_000, rps: [2, 2], requestMs: 2_000 },
    ]);
  });

  test('has crashes at times, with or without a pause, or at every step', () => {
    const crashes = (written: string) => scenario(`${COMMIT}\nreconciler: {crashes: ${written}}`).crashes;
    expect(crashes('3m')).toEqual([{ atMs: 180_000, downMs: 5_000, isDatabaseLost: false }]);
    expect(crashes('[3m, {at: 9, down: 1m}]')).toEqual([
      { atMs: 180_000, downMs: 5_000, isDatabaseLost: false },
      { atMs: 9_000, downMs: 60_000, isDatabaseLost: false },
    ]);
    expect([crashes('every-step'), crashes('every_step'), crashes('every step')]).toEqual(
      Array(3).fill('every-step'),
    );
    expect(crashes('{at: 3m, database: lost}')).toEqual([
      { atMs: 180_000, downMs: 5_000, isDatabaseLost: true },
    ]);
  });

  test('has offers with GPUs whose memory may be known', () => {
    const [backend] = scenario(
      `${COMMIT}\nbackends: {a: {offers: [{gpu: "H100:2"}, {gpu: "amd:MI300X:192GB:1"}]}}`,
    ).backends;
    expect(backend?.offers.map(({ offer }) => offer.resources.gpus)).toEqual([
      Array(2).fill({ name: 'H100', vendor: 'nvidia', memoryGib: 80 }),
      [{ name: 'MI300X', vendor: 'amd', memoryGib: 192 }],
    ]);
  });
});

describe('a mistake is said with its place and its fix:', () => {
  test.each([
    ['sed: 1', 'test.yml:2:1 `sed` is not a known key. Did you mean `seed`?'],
    ['backends: {a: {boot: 9x}}', 'test.yml:2:22 `9x` is not a time.'],
    [
      'backends: {a: {faults: [{kind: no-capacty}]}}',
      'test.yml:2:32 `kind` cannot be `no-capacty`. Did you mean `no-capacity`?',
    ],
    ['backends: {a: {faults: [{kind: partition, rate: 1}]}}', 'test.yml:2:43 `rate` is not a known key.'],
    [
      'backends: {a: {offers: [{gpu: "XYZ:1"}]}}',
      'test.yml:2:31 the memory of XYZ is not known here. Write it, for example `XYZ:24GB`.',
    ],
    ['replicas: {"web @2": {start: 1s}}', 'test.yml:2:22 `web @2` does not say which replicas.'],
    [
      'replicas: {web: {crash-after: 1s}}',
      'test.yml:2:18 `crash-after` is not a known key. Did you mean `crash_after`?',
    ],
    ['replicas: {web: {start: 5s..1s}}', 'test.yml:2:25 `5s..1s` ends before it begins.'],
    ['traffic: {web: -1}', 'test.yml:2:16 `-1` is not a rate.'],
    ['start: 2026-01-05', 'test.yml:2:8 the date `2026-01-05` is not an instant. Write it in quotes'],
    ['expect: 3', 'test.yml:2:9 an expectation is a mapping.'],
    [
      'reconciler: {crashes: every-stp}',
      'test.yml:2:23 `every-stp` says no time. Write times, as `[3m]`, or `every-step`.',
    ],
    ['traffic: {web: {rps: -4}}', 'test.yml:2:22 `-4` is not a rate.'],
    ['duration: 20000d', 'test.yml:2:11 `20000d` is too long. Write at most ten years.'],
    [
      'backends: {a: {faults: [{kind: slow, from: 8m, to: 5m}]}}',
      'test.yml:2:52 this is not after its beginning. Write a later time.',
    ],
    [
      'backends: {a: {faults: [{kind: slow, from: 8m, at: 5m}]}}',
      'test.yml:2:52 `at` and `from` mean the same. Remove one.',
    ],
    [
      'backends: {a: {faults: [{kind: slow, to: 8m, for: 5m}]}}',
      'test.yml:2:51 `to` and `for` both say how long it lasts. Remove one.',
    ],
    ['traffic: {web: {from: 5m, to: 4m, rps: 1}}', 'test.yml:2:31 this is not after its beginning.'],
    [
      'expect: {requets: {failed: 0}}',
      'test.yml:2:19 `requets` is not in a summary. Did you mean `requests`?',
    ],
    [
      'expect: [{services: {web: {redy: 2}}}]',
      'test.yml:2:34 `redy` is not in the summary of a service. Did you mean `ready`?',
    ],
    ['expect: {requests: {fialed: 0}}', 'test.yml:2:29 `fialed` is not in a summary. Did you mean `failed`?'],
  ])('%s', (line, problem) => {
    expect(problemsOf(`${COMMIT}\n${line}`).join('\n')).toContain(problem);
  });

  test.each([
    ['commits: []', 'test.yml:1:10 there is no commit. Add one.'],
    ['commits: [{at: 1m}]', 'test.yml:1:11 this commit changes nothing.'],
    ['commits: [{remove: [a.yml]}]', 'test.yml:1:21 there is no `a.yml` to remove. There is nothing.'],
    ['commits: [{files: {../a.yml: ""}}]', 'test.yml:1:30 `../a.yml` is not a path inside the repository.'],
    ['duration: 1m\ncommits: [{at: 2m, files: {a: b}}]', 'test.yml:2:16 this commit comes after the end.'],
    ['commits: [5]', 'test.yml:1:11 a mapping is expected, not `5`.'],
    ['commits: [{files: {a: b}}, 5]', 'test.yml:1:28 a mapping is expected, not `5`.'],
    ['commits: {remove: {a: b}}', 'test.yml:1:19 text is expected, not a mapping.'],
    ['commits: [', 'test.yml:'],
  ])('%s', (text, problem) => {
    expect(problemsOf(text).join('\n')).toContain(problem);
  });
});

describe('what comes after the end would be passed over in silence:', () => {
  test.each([
    ['expect: {at: 2m, minReady: 1}', 'test.yml:3:14 this expectation comes after the end.'],
    ['expect: [{at: 2m, minReady: 1}]', 'test.yml:3:15 this expectation comes after the end.'],
    ['reconciler: {crashes: [2m]}', 'test.yml:3:24 this crash comes after the end.'],
    ['reconciler: {crashes: [{at: 2m}]}', 'test.yml:3:29 this crash comes after the end.'],
    ['traffic: {web: [{from: 2m, rps: 1}]}', 'test.yml:3:24 this traffic comes after the end.'],
    ['traffic: {web: {from: 2m, rps: 1}}', 'test.yml:3:23 this traffic comes after the end.'],
    [
      'backends: {a: {faults: [{kind: slow, from: 2m}]}}',
      'test.yml:3:44 this fault comes after the end. Make `duration` longer.',
    ],
  ])('%s', (line, problem) => {
    expect(problemsOf(`${COMMIT}\nduration: 1m\n${line}`).join('\n')).toContain(problem);
  });

  test('without `duration` there is time for all of it', () => {
    expect(scenario(`${COMMIT}\nexpect: [{at: 1h, minReady: 0}, {at: 5m}]`).durationMs).toBe(4_500_000);
  });
});

describe('a folder of a commit', () => {
  let base = '';
  beforeAll(() => {
    base = mkdtempSync(join(tmpdir(), 'trueup-scenario-'));
    mkdirSync(join(base, 'v1', 'team'), { recursive: true });
    mkdirSync(join(base, 'empty'));
    writeFileSync(join(base, 'v1', 'team', 'web.dstack.yml'), 'type: service\n');
    symlinkSync('/etc', join(base, 'link'));
  });
  afterAll(() => rmSync(base, { recursive: true }));

  const problems = (folder: string) => problemsOf(`commits: [{folder: ${folder}}]`, join(base, 'test.yml'));

  test('is what the repository holds', () => {
    const { commits } = scenario('commits: [{folder: ./v1}]', join(base, 'test.yml'));
    expect([...(commits[0]?.files ?? [])]).toEqual([['team/web.dstack.yml', 'type: service\n']]);
  });

  test.each([
    ['v2', 'there is no folder `v2`'],
    ['..', '`..` is outside of the folder of the scenario'],
    ['/etc', '`/etc` is outside of the folder of the scenario'],
    ['link', '`link` leads through a link'],
    ['empty', '`empty` holds no files'],
  ])('cannot be %s', (folder, message) => {
    expect(problems(folder).join('\n')).toContain(`test.yml:1:20 ${message}`);
  });
});
