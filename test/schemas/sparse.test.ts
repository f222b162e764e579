// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration language look like that
// The sparse form and what is resolved from it: equal meanings are equal, different ones differ.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { type ParsedFile, parseFile } from '../../reconciler/source/parse.ts';
import { revisionOf, shapeOf } from '../../schemas/identity.ts';

function parse(text: string): ParsedFile {
  return parseFile({ path: 'team/web.dstack.yml', text }, { root: '', profiles: null });
}

function identityOf(text: string): string {
  const { sparse, spec, problems } = parse(text);
  if (sparse === null || spec === null) throw new Error(JSON.stringify([text, problems]));
  return [revisionOf(sparse), ...spec.groups.map(shapeOf)].join(' ');
}

const BASE = 'type: service\nport: 80\nimage: nginx\n';

describe('explicit defaults say nothing', () => {
  test.each([
    'name: team-web',
    'replicas: 1',
    'https: true',
    'auth: on',
    'strip_prefix: true',
    'probes: []',
    'retry: false',
    'spot_policy: on-demand',
    'creation_policy: reuse-or-create',
    'idle_duration: 300',
    'max_duration: off',
    'priority: 0',
    'privileged: no',
    'single_branch: true',
    'nvcc: false',
    'docker: false',
    'dstack: false',
    'shell: /bin/sh',
    'home_dir: /root',
    'setup: [ignored]',
    'startup_order: any',
    'stop_criteria: all-done',
    'env: []',
    'commands: []',
    'tags: {}',
    'backend_options: []',
    'regions: null',
    'resources: {cpu: {min: 2}, memory: 8GB.., gpu: 0.., disk: 100GB..}',
    'resources: {gpu: null, cpu: {count: 2..}, memory: {min: 8192MB}}',
  ])('%s', (line) => {
    expect(identityOf(`${BASE}${line}\n`)).toBe(identityOf(BASE));
  });

  test('the probe that a model implies, written out', () => {
    const probe =
      '{type: http, method: post, url: /v1/chat/completions, timeout: 30s, headers: [{name: Content-Type, value: application/json}], body: \'{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":1}\'}';
    expect(identityOf(`${BASE}model: m\nprobes: [${probe}]`)).toBe(identityOf(`${BASE}model: m`));
    expect(identityOf(`${BASE}model: m\nprobes: []`)).not.toBe(identityOf(`${BASE}model: m`));
  });
});

describe('two spellings, one meaning', () => {
  test.each([
    ['env: [A=1, B]', 'env: {B: {key: B}, A: "1"}'],
    ['env: {A: "${{ secrets.B }}"}', 'env: {A: {key: B}}'],
    ['model: m', 'model: {type: chat, name: m, format: openai, prefix: /v1}'],
    ['gateway: a/b', 'gateway: {project: a, name: b}'],
    ['regions: [a, b, a]', 'regions: [b, a]'],
    ['volumes: [v:/x]', 'volumes: [{name: [v], path: /x/}]'],
    ['files: [./x/]', 'files: [{local_path: x, path: ./x/}]'],
    ['max_duration: 90m', 'max_duration: 1h30m'],
    ['retry: {duration: 1h}', 'retry: {on_events: [error, interruption, no-capacity]}'],
    ['docker: true\nimage: ""\ncommands: [x]', 'docker: true\nprivileged: true\ncommands: [x]'],
    [
      'rate_limits: [{prefix: /a, rps: 1}, {rps: 2}]',
      'rate_limits: [{prefix: /, rps: 2.0, burst: 0, key: {type: ip_address}}, {prefix: /a, rps: 1}]',
    ],
    ['resources: {gpu: "A100:2"}', 'resources: {gpu: {name: A100, count: {min: 2, max: 2}}}'],
    ['resources: {memory: ..16GB}', 'resources: {memory: 0..16GB}'],
  ])('%j is %j', (one, other) => {
    const base = one.includes('docker') ? BASE.replace('image: nginx\n', '') : BASE;
    expect(identityOf(`${base}${one}\n`)).toBe(identityOf(`${base}${other}\n`));
  });

  test('a port is its container side', () => {
    const spelled = ['80', '"80"', '8080:80', '{container_port: 80}', '80.0'];
    const identities = spelled.map((port) => identityOf(`type: service\nimage: nginx\nport: ${port}\n`));
    expect(new Set(identities).size).toBe(1);
  });
});

describe('what means something is kept', () => {
  test.each([
    'port: 81',
    'https: auto',
    'probes: [{type: http}]',
    'stop_duration: 5m',
    'regions: []',
    'gateway: true',
    'gateway: false',
    'retry: true',
    'resources: {disk: null}',
    'resources: {gpu: 0}',
    'resources: {cpu: 2}',
    'replicas: 0',
    'env: {A: ""}',
    'shell: bash',
  ])('%s', (line) => {
    const base = line.startsWith('port') ? BASE.replace('port: 80\n', '') : BASE;
    expect(identityOf(`${base}${line}\n`)).not.toBe(identityOf(BASE));
  });
});

describe('properties', () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
  const range = fc.tuple(fc.nat(8), fc.nat(8)).map(([a, b]) => `${Math.min(a, b)}..${Math.max(a, b)}`);
  const service = fc.record(
    {
      type: fc.constant('service'),
      port: fc.integer({ min: 1, max: 65_535 }),
      image: fc.constant('nginx'),
      commands: fc.array(word, { maxLength: 3 }),
      env: fc.dictionary(word, fc.oneof(word, fc.integer())),
      auth: fc.boolean(),
      replicas: fc.nat(9),
      regions: fc.uniqueArray(word, { maxLength: 3 }),
      probes: fc.uniqueArray(fc.record({ type: fc.constant('http'), url: word.map((path) => `/${path}`) }), {
        maxLength: 3,
        selector: ({ url }) => url,
      }),
      resources: fc.record({ cpu: range, memory: range }, { requiredKeys: [] }),
      max_price: fc.integer({ min: 1, max: 99 }),
      idle_duration: fc.nat(10_000),
      model: word,
    },
    { requiredKeys: ['type', 'port', 'image'] },
  );
  type Written = { readonly [key: string]: unknown };

  /** Ways to write the same thing otherwise. */
  const respellings: readonly ((value: Written) => Written)[] = [
    (value) => Object.fromEntries(Object.entries(value).reverse()),
    (value) => ({ spot_policy: 'on-demand', privileged: false, ...value }),
    (value) => ({ ...value, port: { local_port: 9, container_port: value.port } }),
    (value) =>
      typeof value.replicas === 'number'
        ? { ...value, replicas: { min: value.replicas, max: value.replicas } }
        : value,
    (value) =>
      'env' in value
        ? { ...value, env: Object.entries(value.env as Written).map(([name, text]) => `${name}=${text}`) }
        : value,
    (value) => ('model' in value ? { ...value, model: { name: value.model, format: 'openai' } } : value),
    (value) =>
      'regions' in value ? { ...value, regions: [...(value.regions as string[])].reverse() } : value,
    (value) => ('idle_duration' in value ? { ...value, idle_duration: `${value.idle_duration}s` } : value),
  ];

  test('no respelling changes revision or shape', () => {
    fc.assert(
      fc.property(service, fc.subarray([...respellings]), fc.boolean(), (value, chosen, inFlow) => {
        const other = chosen.reduce((before, respell) => respell(before), value as Written);
        const written = stringify(other, { version: '1.1', collectionStyle: inFlow ? 'flow' : 'any' });
        expect(identityOf(`# a comment\n${written}`)).toBe(identityOf(stringify(value, { version: '1.1' })));
      }),
      { seed: 20_26, numRuns: 150 },
    );
  });

  test('random text never throws, and always says something', () => {
    const fragments = [
      'type: service\n',
      'port: ',
      '80',
      '\n',
      '- ',
      '{',
      '}',
      '[',
      ']',
      ': ',
      '&a ',
      '*a',
      '<<',
      '!!',
      '"',
      "'",
      '|\n',
      '  ',
      '${{',
      '}}',
      'groups',
      'replicas',
      '1..',
      'null',
      '\0',
      '\uD800',
      '#',
    ];
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .array(fc.oneof(fc.constantFrom(...fragments), fc.string({ maxLength: 3 })), { maxLength: 40 })
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (source) => {
        const { ok, problems, spec } = parse(source);
        expect(ok).toBe(problems.every(({ severity }) => severity !== 'error'));
        for (const { line, column, message, fix } of problems) {
          expect(line > 0 && column > 0 && message !== '' && fix !== '').toBe(true);
        }
        expect(spec === null || ok).toBe(true);
      }),
      { seed: 7, numRuns: 1500 },
    );
  });

  test('fields with values of any kind never throw', () => {
    const fields = Object.keys(parse(BASE).configuration ?? {}).concat(
      'groups',
      'probes',
      'scaling',
      'model',
      'retry',
      'schedule',
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...fields), fc.jsonValue({ maxDepth: 4 })), (value) => {
        parse(stringify({ ...value, type: 'service' }));
      }),
      { seed: 11, numRuns: 500 },
    );
  });
});
