// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration language look like that
import { describe, expect, test } from 'vitest';
import { parseConfiguration } from '../../schemas/configuration.ts';

const BASE = 'type: service\nport: 80\nimage: nginx\n';

/** Everything said about a file, as `line:column path | message | fix`. */
function said(text: string): string[] {
  return parseConfiguration(text).findings.map(
    ({ line, column, path, message, fix }) => `${line}:${column} ${path} | ${message} | ${fix}`,
  );
}

function errorsOf(text: string): string[] {
  const { findings } = parseConfiguration(text);
  return findings
    .filter(({ severity }) => severity === 'error')
    .map(({ path, message }) => `${path}: ${message}`);
}

function fieldOf(text: string, field: string): unknown {
  const { configuration, findings } = parseConfiguration(text);
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  return configuration?.[field];
}

describe('problems', () => {
  test('all problems of a file are said at once, each at its very place, in reading order', () => {
    const text = [
      'type: service',
      'port: 70000',
      'image: nginx',
      'python: 3.12',
      'probs: []',
      'replicas: 1..3',
      'env:',
      '  - A=1',
      '  - A=2',
      'probes:',
      '  - type: http',
      '    url: health',
      '    methd: get',
      'gpu: A100',
      'volumes: [data]',
    ].join('\n');
    expect(said(text)).toEqual([
      '2:7 port | `70000` is above 65535 | Write a number from 1 to 65535.',
      '4:9 python | `python` and `image` exclude each other | Remove one of the two.',
      '5:1 probs | `probs` is not a known key | Did you mean `probes`?',
      '6:11 replicas | a range of replicas needs `scaling` | Add `scaling` with `metric: rps` and a `target`.',
      '9:5 env[1] | `A` is given twice | Remove one of the two.',
      '12:10 probes[0].url | `health` does not begin with `/` | Write only the path, for example `/health`.',
      '13:5 probes[0].methd | `methd` is not a known key | Did you mean `method`?',
      '14:1 gpu | `gpu` is not a known key | Move it below `resources`.',
      '15:11 volumes[0] | `data` is not a volume | Write `name:/path` or `/path/on/the/instance:/path`.',
    ]);
  });

  test.each([
    'env: hunter2',
    'env: ["TOKEN: hunter2", "my token=hunter2"]',
    'env: {TOKEN: {hunter2: 1}}',
    'registry_auth: hunter2',
    'registry_auth: [hunter2]',
    'probes: [{type: http, headers: hunter2}]',
    'probes: [{type: http, headers: [hunter2]}]',
    'probes: [{type: http, headers: [{name: authorization, value: [hunter2]}]}]',
  ])('%s is wrong, and what may be a secret is not told on', (text) => {
    const { findings } = parseConfiguration(`${BASE}${text}`);
    expect(findings).toContainEqual(expect.objectContaining({ severity: 'error' }));
    expect(JSON.stringify(findings)).not.toContain('hunter2');
  });

  test.each([
    ['', ': the file is empty'],
    ['[1]', ': a mapping is expected, not a list'],
    ['type: servce', 'type: `servce` is not a type of configuration'],
    ['port: 80', 'type: `type` is missing'],
    ['type: service\nimage: x', 'port: `port` is missing'],
    ['type: service\nport: 80', ': a service needs `commands` or `image`'],
    [`${BASE}commands:`, 'commands: a list is expected, not empty'],
    [`${BASE}commands: run`, 'commands: a list is expected, not `run`'],
    [`${BASE}commands: [true]`, 'commands[0]: text is expected, not `true`'],
    [`${BASE}env: {A: true}`, 'env.A: text is expected, not `true`'],
    [`${BASE}env: {A: }`, 'env.A: `A` has no value'],
    [`${BASE}name: Web`, 'name: `Web` is not a name'],
    [`${BASE}user: a:b:c`, 'user: `a:b:c` is not a user'],
    [`${BASE}shell: zsh`, 'shell: `zsh` is not a shell'],
    [`${BASE}max_duration: 5M`, 'max_duration: `5M` is not a duration'],
    [`${BASE}regions: [2001-01-01]`, 'regions[0]: text is expected, not the date `2001-01-01`'],
    [`${BASE}resources: 2001-01-01`, 'resources: a mapping is expected, not the date `2001-01-01`'],
    [`${BASE}regions: [=]`, "regions[0]: `=` without quotes is a sign of YAML's own"],
    [`${BASE}user: "-1_0"`, 'user: `-1_0` has a negative id'],
    [
      `${BASE}replicas: 3000000000`,
      'replicas: this asks for 3000000000 replicas; at most 10000 of a service are possible',
    ],
    [
      'type: service\nport: 80\nimage: x\ngroups: [{replicas: 6000}, {replicas: 6000}]',
      'groups: this asks for 12000 replicas; at most 10000 of a service are possible',
    ],
    [
      `${BASE}replicas: 0\nschedule: {cron: "0 8 * * *"}`,
      'replicas: `schedule` starts the least number of replicas, and that is 0',
    ],
    [
      'type: service\nport: 80\nimage: x\nschedule: {cron: "0 8 * * *"}\ngroups: [{replicas: 0..2, scaling: {metric: rps, target: 1}}]',
      'groups: `schedule` starts the least number of replicas, and that is 0',
    ],
    [
      'type: service\nport: 80\nimage: x\nretry: false\ngroups: [{replicas: 1}, {replicas: 1, router: {type: dynamo}}]',
      'groups[1].router: `retry` cannot be combined with a Dynamo router, whose address must stay',
    ],
    [`${BASE}rate_limits: [{rps: 0}]`, 'rate_limits[0].rps: this is less than one request a minute'],
    [`${BASE}env: [A, "B=\${{ env.A }}"]`, 'env[1]: `${{ env.A }}` cannot be used in `env`'],
    [`${BASE}priority: "1."`, 'priority: `1.` is not a whole number'],
    [`${BASE}working_dir: "a\\0b"`, 'working_dir: there is a NUL character in it'],
    [`${BASE}spot_policy: spto`, 'spot_policy: `spto` is not known'],
    [`${BASE}model: {name: x}`, 'model.format: `format` is missing'],
    [`${BASE}rate_limits: [{rps: 1}, {prefix: /, rps: 2}]`, 'rate_limits[1]: `/` has two limits'],
    [`${BASE}probes: [{type: http, method: get, body: x}]`, 'probes[0].body: a `get` request has no body'],
    [`${BASE}probes: [{type: http}, {type: http}]`, 'probes[1]: this probe is there twice'],
    [`${BASE}probes: [{type: http, timeout: 6m}]`, 'probes[0].timeout: the timeout is above 300s'],
    [`${BASE}schedule: {cron: "0 8 * *"}`, 'schedule.cron: `0 8 * *` has 4 fields instead of 5'],
    [`${BASE}schedule: {cron: "0 8 * * 7"}`, 'schedule.cron: `7` is no day of week: it is outside 0-6'],
    [`${BASE}tags: {a: 1}`, 'tags.a: a tag is text, not `1`'],
    [`${BASE}repos: [a, b]`, 'repos[1]: only one repository is possible'],
    [`${BASE}resources: {gpu: "A100::2"}`, 'resources.gpu: `A100::2` has an empty part'],
    [`${BASE}resources: {cpu: amd64}`, 'resources.cpu: `amd64` is not a CPU architecture'],
    [`${BASE}resources: {memory: 16GB..8GB}`, 'resources.memory: the range ends (8) before it begins (16)'],
    [
      'type: service\nport: 80\ncommands: [x]\nresources: {gpu: MI300X}',
      'resources.gpu: the default image does not support amd accelerators',
    ],
    [
      'type: service\nport: 80\ncommands: [x]\nresources: {cpu: arm:4}',
      'resources.cpu: an ARM machine needs an image',
    ],
  ])('%j', (text, expected) => {
    expect(errorsOf(text)).toContain(expected);
  });

  test('no words of the schema library reach the user', () => {
    const kinds = ['[]', '{}', 'x', '1', '1.5', 'true', '[[1]]', '{a: {b: 1}}', '2001-01-01', ''];
    const fields = Object.keys(parseConfiguration(BASE).configuration ?? {});
    const all = [
      ...fields,
      'probes',
      'groups',
      'model',
      'scaling',
      'gateway',
      'retry',
      'fleets',
      'instances',
    ];
    for (const field of all.filter((name) => !['type', 'port', 'image'].includes(name))) {
      for (const kind of kinds) {
        for (const line of said(`${BASE}${field}: ${kind}`)) {
          expect(line).not.toMatch(/invalid|expected \w+, received|zod|undefined|NaN|\[object|unrecognized/i);
        }
      }
    }
  });

  test('a variable that is written as a number and becomes other text is warned of, without its value', () => {
    const text = `${BASE}env: {A: 1.10, B: 010, C: 1_000, D: 1e3, E: 7, F: "1.10", G: 1.5, H: +1, I: &a 08, J: -3}`;
    const spoken = said(text).map((line) => line.replace(/ is written.*/, ''));
    expect(spoken).toEqual(['4:10 env.A | `A`', '4:19 env.B | `B`', '4:27 env.C | `C`', '4:70 env.H | `H`']);
    expect(errorsOf(text)).toEqual([]);
  });

  test('a value that may be a secret is not repeated', () => {
    const lines = said(`${BASE}env: ["BAD NAME=hunter2", "A=\${{ env.B }} hunter2"]`).join();
    expect(lines).toContain('`BAD NAME` is not a variable');
    expect(lines).not.toContain('hunter2');
  });
});

describe('groups', () => {
  const service = (groups: string, more = ''): string =>
    `type: service\nport: 80\n${more}groups: [${groups}]\n`;

  test.each([
    ['an empty list', service(''), 'groups: `groups` is an empty list'],
    [
      'equal names',
      service('{replicas: 1, commands: [a], name: "1"}, {replicas: 1, commands: [a]}'),
      'groups[1]: two groups are called `1`',
    ],
    ['nothing to run', service('{replicas: 1}'), 'groups[0]: the group `0` needs `commands` or `image`'],
    [
      'a range without scaling',
      service('{replicas: 1..2, commands: [a]}'),
      'groups[0].replicas: a range of replicas needs `scaling`',
    ],
    [
      'commands beside groups',
      service('{replicas: 1, commands: [a]}', 'commands: [b]\n'),
      'commands: `commands` do not belong beside groups',
    ],
    [
      'scaling beside groups',
      service('{replicas: 1, commands: [a]}', 'scaling: {metric: rps, target: 1}\n'),
      'scaling: `scaling` does not belong beside groups',
    ],
    [
      'both spellings',
      service('{replicas: 1, commands: [a]}', 'replicas: 2\n'),
      'replicas: `replicas` and `groups` exclude each other',
    ],
    [
      'one field in both places',
      service('{replicas: 1, image: b}', 'image: a\n'),
      'image: `image` is set both for the service and in the group `0`',
    ],
    [
      'sources of both levels',
      service('{replicas: 1, docker: true}', 'image: a\n'),
      'image: `image` of the service excludes `docker` in the group `0`',
    ],
    [
      'sources of one level',
      service('{replicas: 1, image: a, python: 3.12}'),
      'groups[0].python: `python` and `image` exclude each other',
    ],
    [
      'an unprivileged docker',
      service('{replicas: 1, docker: true, privileged: false, commands: [a]}'),
      'groups[0].privileged: `docker: true` needs a privileged container',
    ],
    [
      'two routers',
      service('{replicas: 1, commands: [a], router: {}}, {replicas: 1, commands: [a], router: {}}'),
      'groups[1].router: only one group can be the router',
    ],
    [
      'a router of two',
      service('{replicas: 2, commands: [a], router: {}}'),
      'groups[0]: a router has exactly one replica',
    ],
    [
      'a field that groups do not have',
      service('{replicas: 1, commands: [a], env: {}}'),
      'groups[0].env: `env` is not a known key',
    ],
    ['no count', service('{commands: [a]}'), 'groups[0].replicas: `replicas` is missing'],
  ])('%s is a problem', (_what, text, expected) => {
    expect(errorsOf(text)).toContain(expected);
  });
});

describe('references', () => {
  test.each([
    ['env of a secret', 'env: {A: "${{ secrets.X }}"}', ''],
    ['env of env', 'env: {B: x, A: "${{ env.B }}"}', 'env.A: `${{ env.B }}` cannot be used in `env`'],
    ['a probe of env', 'env: [K]\nprobes: [{type: http, headers: [{name: a, value: "${{ env.K }}"}]}]', ''],
    [
      'a probe of a variable that is not there',
      'probes: [{type: http, url: "/${{ env.K }}"}]',
      'probes[0].url: `env` has no variable `K`',
    ],
    [
      'a command of env',
      'commands: ["${{ env.K }}"]',
      'commands[0]: `${{ env.K }}` cannot be used in commands',
    ],
    ['a command of arguments', 'commands: ["x ${{ run.args }}"]', ''],
    ['a replica that is there', 'replicas: 2\ncommands: ["${{ groups[0].replicas[1].IP_ADDRESS }}"]', ''],
    [
      'a replica that need not be there',
      'commands: ["${{ groups[0].replicas[1].IP_ADDRESS }}"]',
      'commands[0]: `${{ groups[0].replicas[1].IP_ADDRESS }}` names a replica that need not be there',
    ],
    ['an open reference', 'env: {A: "${{ x"}', 'env.A: `${{` is not closed'],
    ['a reference without a point', 'env: {A: "${{ x }}"}', 'env.A: `${{ x }}` is not a reference'],
    ['an escaped one', 'env: {A: "$${{ x }}"}', ''],
    ['a volume by number', 'volumes: [{name: "v-${{ dstack.job_num }}", path: /v}]', ''],
    [
      'a volume by env',
      'volumes: [{name: "v-${{ env.A }}", path: /v}]',
      "volumes[0].name: `${{ env.A }}` cannot be used in a volume's name",
    ],
  ])('%s', (_what, more, expected) => {
    expect(errorsOf(BASE + more)).toEqual(expected === '' ? [] : [expected]);
  });
});

describe('the normal form', () => {
  test.each([
    ['port: 8000', 'port', { local_port: 80, container_port: 8000 }],
    ['port: "81:8000"', 'port', { local_port: 81, container_port: 8000 }],
    ['model: llama', 'model', { type: 'chat', name: 'llama', format: 'openai', prefix: '/v1' }],
    ['gateway: team/edge', 'gateway', { project: 'team', name: 'edge' }],
    ['gateway: yes', 'gateway', true],
    ['fleets: [a, b/c]', 'fleets', [{ name: 'a' }, { project: 'b', name: 'c' }]],
    ['env: [A=1, B, "C="]', 'env', { A: '1', B: { key: 'B' }, C: '' }],
    ['env: {A: 1.10, B: 010, C: 1e3}', 'env', { A: '1.1', B: '8', C: '1e3' }],
    ['max_duration: 1h30m', 'max_duration', 5400],
    ['max_duration: off', 'max_duration', 'off'],
    ['idle_duration: off', 'idle_duration', -1],
    ['retry: {duration: 1h}', 'retry', { duration: 3600 }],
    ['replicas: 3', 'replicas', { min: 3, max: 3 }],
    [
      'volumes: ["/a//b/./c/:/d/", "v:/w"]',
      'volumes',
      [
        { instance_path: '/a/b/c', path: '/d', optional: false },
        { name: 'v', path: '/w' },
      ],
    ],
    [
      'repos: ["git@github.com:a/b.git:/x"]',
      'repos',
      [{ url: 'git@github.com:a/b.git', path: '/x', if_exists: 'error' }],
    ],
    ['schedule: {cron: "0 8 * * mon-fri"}', 'schedule', { cron: ['0 8 * * mon-fri'] }],
  ])('%s', (line, field, expected) => {
    const base = line.startsWith('port') ? BASE.replace('port: 80\n', '') : BASE;
    expect(fieldOf(`${base}${line}\n`, field)).toEqual(expected);
  });

  test.each([
    ['24GB', { count: { min: 1 }, memory: { min: 24, max: 24 } }],
    ['A100:40GB:2', { name: ['A100'], memory: { min: 40, max: 40 }, count: { min: 2, max: 2 } }],
    ['amd:MI300X:8', { vendor: 'amd', name: ['MI300X'], count: { min: 8, max: 8 } }],
    ['tpu:v5litepod-4', { vendor: 'google', name: ['v5litepod-4'], count: { min: 1 } }],
    ['tpu-v5litepod-4', { name: ['v5litepod-4'], count: { min: 1 } }],
    ['"A10G,A100"', { name: ['A10G', 'A100'], count: { min: 1 } }],
    ['{compute_capability: 8.0}', { count: { min: 1 }, compute_capability: [8, 0] }],
  ])('gpu: %s', (gpu, expected) => {
    expect(fieldOf(`${BASE}resources:\n  gpu: ${gpu}\n`, 'resources')).toMatchObject({ gpu: expected });
  });
});

test.each([
  ['4090', 'Write the name (`RTX4090`) or the memory (`4090GB`) if you meant that.'],
  ['A100:80', 'Write the memory (`80GB`) if you meant that.'],
])('many GPUs, as of gpu: %s, are asked about', (gpu, fix) => {
  const { findings } = parseConfiguration(`${BASE}resources: {gpu: "${gpu}"}`);
  expect(findings.map((finding) => finding.fix)).toEqual([fix]);
});

test.each([
  ['resources: {gpu: 4090}', 'this asks for 4090 GPUs in one machine'],
  ['resources: {gpu: "nvidia,A100"}', 'this asks for a GPU with the name `nvidia`'],
  [
    'schedule: {cron: "0 8 * * 1-5"}',
    'weekday numbers count from Sunday (0) here, but from Monday (0) in dstack',
  ],
  ['rate_limits: [{rps: 1}]', '`rate_limits` has no effect yet: requests are not limited'],
  ['gateway: edge', '`gateway` has no effect yet: the service is reached at the address of this server'],
  ['gateway: true', '`gateway` has no effect yet: the service is reached at the address of this server'],
  ['instances: [a]', '`instances` has no effect yet: it may run on other machines too'],
  ['scaling: {metric: rps, target: 1}', '`scaling` has no effect: there is always one replica'],
  ['commands: ["echo ${{ secrets.X }}"]', 'secrets are not filled in here'],
])('%s is allowed with a warning', (line, expected) => {
  const { findings } = parseConfiguration(BASE + line);
  expect(findings.map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
    `warning: ${expected}`,
  ]);
});

test('what a field would do by default anyway is not warned of', () => {
  const text = `${BASE}gateway: false\nhttps: true\nrate_limits: []\ncreation_policy: reuse-or-create\n`;
  expect(said(text)).toEqual([]);
});
