// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration language look like that
import { describe, expect, test } from 'vitest';
import { parseFile } from '../../reconciler/source/parse.ts';
import type { ServiceSpec } from '../../schemas/desired.ts';

function specOf(more: string, base = 'type: service\nname: web\nport: 80\nimage: nginx\n'): ServiceSpec {
  const { spec, problems } = parseFile(
    { path: 'team/web.dstack.yml', text: base + more },
    { root: 'team', profiles: null },
  );
  if (spec === null) throw new Error(JSON.stringify(problems));
  return spec;
}

test('a file that writes next to nothing has every default filled in, and requires no machine', () => {
  expect(specOf('')).toEqual({
    name: 'web',
    port: 80,
    auth: true,
    stripPrefix: true,
    https: null,
    gateway: null,
    model: null,
    rateLimits: [],
    probes: [],
    groups: [
      {
        name: '0',
        replicas: { min: 1, max: 1 },
        scaling: null,
        process: {
          image: 'nginx',
          entrypoint: null,
          commands: [],
          env: {},
          port: 80,
          user: null,
          shell: null,
          workingDir: null,
          privileged: false,
          docker: false,
          python: null,
          nvcc: false,
          shmSizeGib: null,
          volumes: [],
          files: [],
          repos: [],
          registryAuth: null,
          other: {},
        },
        placement: {
          requirement: { cpu: null, memoryGib: null, diskGib: null, gpu: null },
          backends: null,
          regions: null,
          availabilityZones: null,
          instanceTypes: null,
          spotPolicy: 'on-demand',
          maxPrice: null,
          reservation: null,
          fleets: null,
        },
      },
    ],
    stopMs: 10_000,
    policy: {
      surge: 1,
      unavailable: 0,
      drainMs: 60_000,
      startMs: 600_000,
      readyMs: 600_000,
      onFailure: 'rollback',
      quarantineMs: 86_400_000,
      bakeMs: 300_000,
      livenessMs: 300_000,
    },
  });
});

test('an OpenAI model brings a probe of its own, unless the file has an opinion', () => {
  expect(specOf('model: {name: m, format: openai, prefix: /api/}\n').probes).toEqual([
    {
      method: 'post',
      url: '/api/chat/completions',
      headers: [{ name: 'Content-Type', value: 'application/json' }],
      body: '{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":1}',
      timeoutMs: 30_000,
      intervalMs: 15_000,
      readyAfter: 1,
      untilReady: false,
    },
  ]);
  expect(specOf('model: m\nprobes: []\n').probes).toEqual([]);
  expect(specOf('model: {name: m, format: tgi}\n').probes).toEqual([]);
});

test('a model gets longer to drain', () => {
  expect(specOf('model: m\n').policy.drainMs).toBe(300_000);
});

test.each([
  ['stop_duration: 5m', 300_000],
  ['stop_duration: 0', 0],
  ['stop_duration: off', 2 ** 31 - 1],
])('%s', (line, stopMs) => {
  expect(specOf(line).stopMs).toBe(stopMs);
});

test('groups inherit what they do not write, but not resources', () => {
  const spec = specOf(
    [
      'python: 3.12',
      'env: {A: b}',
      'spot_policy: auto',
      'resources: {gpu: H100}',
      'groups:',
      '  - {replicas: 1, commands: [a], nvcc: true}',
      '  - {name: big, replicas: 0..2, scaling: {metric: rps, target: 5}, commands: [b], resources: {gpu: "A100:2", shm_size: 1GB}}',
    ].join('\n'),
    'type: service\nname: web\nport: 80\n',
  );
  const [first, second] = spec.groups;
  expect([first?.name, second?.name]).toEqual(['0', 'big']);
  expect(first?.process).toMatchObject({ python: '3.12', nvcc: true, commands: ['a'], env: { A: 'b' } });
  expect(second?.process).toMatchObject({ python: '3.12', nvcc: false, commands: ['b'], shmSizeGib: 1 });
  expect(first?.placement).toMatchObject({ spotPolicy: 'auto', requirement: { gpu: null } });
  expect(second?.placement.requirement.gpu).toMatchObject({ names: ['A100'], count: { min: 2, max: 2 } });
  expect(second?.replicas).toEqual({ min: 0, max: 2 });
  expect(second?.scaling).toEqual({
    metric: 'rps',
    target: 5,
    windowMs: 60_000,
    upDelayMs: 300_000,
    downDelayMs: 600_000,
  });
});

test('arguments and job numbers, which services do not have, are filled in', () => {
  const { process } =
    specOf('commands: ["run ${{ run.args }} now"]\nvolumes: ["v-${{ dstack.job_num }}:/v"]\n').groups[0] ??
    {};
  expect(process?.commands).toEqual(['run  now']);
  expect(process?.volumes).toEqual([{ name: 'v-0', path: '/v' }]);
});

describe('paths', () => {
  test('are relative to the file, and from the root of the repository in the spec', () => {
    const { process } = specOf('files: [./conf/, ../shared/x:/y]\nrepos: [..]\n').groups[0] ?? {};
    expect(process?.files).toEqual([
      { source: 'team/conf', target: './conf/', hash: '' },
      { source: 'shared/x', target: '/y', hash: '' },
    ]);
    expect(process?.repos).toEqual([{ source: '', target: '.', hash: '' }]);
  });

  test.each(['../../x', '~/.ssh/id_rsa', '/etc/passwd', 'a/../../../x'])(
    '%s leaves the repository',
    (path) => {
      const text = `type: service\nname: web\nport: 80\nimage: nginx\nfiles: ["${path}:/x"]\n`;
      const parsed = parseFile({ path: 'team/web.dstack.yml', text }, { root: 'team', profiles: null });
      expect(parsed.problems).toMatchObject([
        { line: 5, column: 9, severity: 'error', message: `\`${path}\` is outside the repository` },
      ]);
      expect(parsed.spec).toBeNull();
      const alone = parseFile({ path: 'web.dstack.yml', text }, { root: null, profiles: null });
      expect(alone.ok).toBe(true);
      expect(alone.spec?.groups[0]?.process.files).toEqual([]);
    },
  );

  test('a repository from elsewhere still counts for the shape', () => {
    const { process } = specOf('repos: ["https://example.com/a.git:/src"]\n').groups[0] ?? {};
    expect(process?.repos).toEqual([]);
    expect(process?.other).toEqual({ repos: [{ url: 'https://example.com/a.git', path: '/src' }] });
  });
});

describe('when a service begins and ends', () => {
  test.each<[string, Partial<ServiceSpec>]>([
    ['schedule: {cron: "0 8 * * mon-fri"}', { schedule: { cron: ['0 8 * * mon-fri'] } }],
    ['max_duration: 8h', { maxDurationMs: 28_800_000 }],
    [
      'utilization_policy: {min_gpu_utilization: 10, time_window: 30m}',
      { utilization: { minGpuPercent: 10, windowMs: 1_800_000 } },
    ],
    ['retry: {on_events: [error], duration: 2h}', { retry: { on: ['error'], durationMs: 7_200_000 } }],
    ['retry: {}', { retry: { on: ['no-capacity', 'interruption', 'error'], durationMs: 3_600_000 } }],
    ['priority: 7', { priority: 7 }],
  ])('is read from %s', (line, fields) => {
    expect(specOf(line)).toMatchObject(fields);
  });

  test.each(['max_duration: off', 'max_duration: 0', 'retry: true', 'retry: false', 'priority: 0'])(
    '%s says nothing',
    (line) => {
      expect(specOf(line)).toEqual(specOf(''));
    },
  );
});
