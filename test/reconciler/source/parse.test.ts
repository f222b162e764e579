import { describe, expect, test } from 'vitest';
import {
  isConfigurationPath,
  type ParsedFile,
  parseFile,
  parseTree,
} from '../../../reconciler/source/parse.ts';
import { DEFAULT_POLICY, parsePolicy } from '../../../schemas/policy.ts';
import { parseProfiles } from '../../../schemas/profiles.ts';

const SERVICE = 'type: service\nport: 80\nimage: nginx\n';

function parse(path: string, text = SERVICE, root: string | null = ''): ParsedFile {
  return parseFile({ path, text }, { root, profiles: null });
}

test('which files count', () => {
  const counted = ['.dstack.yml', 'a/.dstack.yaml', 'web.dstack.yml', 'a/b/web.dstack.yaml'];
  const others = [
    'dstack.yml',
    'web.yml',
    'a.dstack.yml/b',
    '.dstack/profiles.yml',
    'trueup.yml',
    'web.dstack.yml.bak',
  ];
  expect([...counted, ...others].filter(isConfigurationPath)).toEqual(counted);
});

describe('names', () => {
  test.each([
    ['web.dstack.yml', '', 'web'],
    ['team/api_v2.dstack.yml', '', 'team-api-v2'],
    ['Team/Web.API.dstack.yaml', '', 'team-web-api'],
    ['services/team/web.dstack.yml', 'services', 'team-web'],
    ['services/web/.dstack.yml', 'services', 'web'],
    ['services/.dstack.yml', 'services', 'services'],
  ])('%s below %j is called %s', (path, root, name) => {
    expect(parse(path, SERVICE, root)).toMatchObject({ name, ok: true, spec: { name } });
  });

  test('a name in the file wins', () => {
    expect(parse('team/x.dstack.yml', `name: web\n${SERVICE}`)).toMatchObject({ name: 'web', ok: true });
  });

  test.each([
    ['1st.dstack.yml', "the name from the file's path, `1st`, is not a valid one"],
    ['.dstack.yml', 'the service has no name'],
  ])('%s needs one', (path, message) => {
    expect(parse(path)).toMatchObject({ ok: false, spec: null, problems: [{ message, line: 1, column: 1 }] });
    expect(parse(path, SERVICE, null)).toMatchObject({
      ok: true,
      problems: [{ message, severity: 'warning' }],
    });
  });
});

describe('a file', () => {
  test('says where each of its values is, in either form of env', () => {
    const { locate } = parse(
      'web.dstack.yml',
      `${SERVICE}env:\n  - A=1\n  - TOKEN\nprobes:\n  - type: http\n    url: /x\n`,
    );
    expect(locate('env.TOKEN')).toEqual({ line: 6, column: 5 });
    expect(locate('probes[0].url')).toEqual({ line: 9, column: 10 });
    expect(locate('probes[3].url')).toEqual({ line: 8, column: 3 });
    expect(locate('')).toEqual({ line: 1, column: 1 });
  });

  test('is held together with its profile: what is right in each may be wrong in both', () => {
    const { profiles } = parseProfiles({
      path: '.dstack/profiles.yml',
      text: 'profiles: [{name: a, default: true, schedule: {cron: "0 8 * * *"}}]',
    });
    const text = `${SERVICE}replicas: 0\n`;
    for (const root of ['', null]) {
      expect(parseFile({ path: 'web.dstack.yml', text }, { root, profiles })).toMatchObject({
        ok: false,
        spec: null,
        problems: [{ line: 4, column: 11, message: expect.stringContaining('`schedule` starts') }],
      });
    }
    expect(parse('web.dstack.yml', text).ok).toBe(true);
  });

  test('with mistakes has neither spec nor sparse form, and keeps its type and name', () => {
    const parsed = parse('web.dstack.yml', `${SERVICE}replicas: 2..1\n`);
    expect(parsed).toMatchObject({ type: 'service', name: 'web', ok: false, spec: null, sparse: null });
    expect(parsed.problems).toMatchObject([
      { file: 'web.dstack.yml', line: 4, column: 11, path: 'replicas' },
    ]);
  });

  test('has a digest of its bytes', () => {
    expect(parse('a.dstack.yml').bytesDigest).toMatch(/^[0-9a-f]{64}$/);
    expect(parse('a.dstack.yml').bytesDigest).not.toBe(parse('a.dstack.yml', `${SERVICE}\n`).bytesDigest);
  });
});

describe('a tree', () => {
  test('has services, other files and all their problems, and one bad file spoils no other', () => {
    const files = [
      parse('web.dstack.yml'),
      parse('bad.dstack.yml', 'type: service\n'),
      parse('job.dstack.yml', 'type: task\ncommands: [x]\n'),
      parse('pool.dstack.yml', 'type: fleet\nname: pool\nnodes: 0..2\n'),
      parse('what.dstack.yml', 'type: thing\n'),
    ];
    const tree = parseTree(files, DEFAULT_POLICY);
    expect([...tree.services.keys()]).toEqual(['web']);
    expect(tree.others).toEqual([
      { path: 'job.dstack.yml', type: 'task', name: 'job' },
      { path: 'pool.dstack.yml', type: 'fleet', name: 'pool' },
    ]);
    expect(new Set(tree.problems.map(({ file }) => file))).toEqual(
      new Set(['bad.dstack.yml', 'what.dstack.yml']),
    );
  });

  test('two files that claim one name are both problems, and neither is a service, even where one is broken', () => {
    const files = [
      parse('a/web.dstack.yml'),
      parse('b.dstack.yml', 'name: a-web\ntype: service\n'),
      parse('ok-then.dstack.yml'),
    ];
    const tree = parseTree(files, DEFAULT_POLICY);
    expect([...tree.services.keys()]).toEqual(['ok-then']);
    expect([...tree.conflicts.keys()]).toEqual(['a-web']);
    expect(tree.conflicts.get('a-web')).toMatchObject([
      { file: 'a/web.dstack.yml', message: 'the name `a-web` is also claimed by b.dstack.yml' },
      { file: 'b.dstack.yml', line: 1, column: 7 },
    ]);
  });

  test('a service waits for the fleet, volume or gateway that it names to be without errors, and no other does', () => {
    const broken = [
      parse('pool.dstack.yml', 'type: fleet\nname: pool\nnodez: 2\n'),
      parse('data.dstack.yml', 'type: volume\nname: data\nsize: [\n'),
      parse('edge.dstack.yml', 'type: gateway\nname: edge\nnope: 1\n'),
    ];
    const naming = [
      parse('a.dstack.yml', `name: aa\n${SERVICE}fleets: [other, pool]\n`),
      parse('b.dstack.yml', `name: bb\n${SERVICE}volumes: ["data:/data"]\n`),
      parse('c.dstack.yml', `name: cc\n${SERVICE}gateway: edge\n`),
      parse('d.dstack.yml', `name: dd\n${SERVICE}fleets: [other]\n`),
      parse('e.dstack.yml', `name: ee\n${SERVICE}`),
    ];
    const tree = parseTree([...broken, ...naming], DEFAULT_POLICY);
    expect([...tree.services.keys()]).toEqual(['dd', 'ee']);
    expect(tree.conflicts.get('aa')).toEqual([
      {
        file: 'a.dstack.yml',
        line: 5,
        column: 17,
        path: 'fleets[1]',
        message: 'it names the fleet `pool`, and pool.dstack.yml has errors',
        fix: 'Fix pool.dstack.yml first, or do not name it.',
        severity: 'error',
      },
    ]);
    expect(tree.conflicts.get('bb')?.[0]?.message).toMatch(/the volume `data`, and data.dstack.yml/);
    expect(tree.conflicts.get('cc')?.[0]?.message).toMatch(/the gateway `edge`, and edge.dstack.yml/);
    const fixed = [parse('pool.dstack.yml', 'type: fleet\nname: pool\nnodes: 2\n'), ...naming];
    expect([...parseTree(fixed, DEFAULT_POLICY).services.keys()]).toEqual(['aa', 'bb', 'cc', 'dd', 'ee']);
  });

  test('what a service names and no file declares is a warning where it is written, and holds nothing back', () => {
    const files = [
      parse('pool.dstack.yml', 'type: fleet\nname: gpu-pool\nnodes: 2\n'),
      parse('data.dstack.yml', 'type: volume\nname: data\nbackend: aws\nregion: us\nsize: 10GB\n'),
      parse('a.dstack.yml', `name: aa\n${SERVICE}fleets: [zeta, gpu-pol]\n`),
      parse('b.dstack.yml', `name: bb\n${SERVICE}volumes: ["data:/data", "cache:/cache"]\n`),
      parse('c.dstack.yml', `name: cc\n${SERVICE}gateway: edge\n`),
      parse('d.dstack.yml', `name: dd\n${SERVICE}fleets: [shared/gpu-pool]\n`),
      parse('e.dstack.yml', `name: ee\n${SERVICE}fleets: [idle]\nvolumes: [{name: [data, x], path: /x}]\n`),
    ];
    const tree = parseTree(files, DEFAULT_POLICY);
    const warnings = (name: string) =>
      tree.services.get(name)?.problems.filter(({ message }) => message.startsWith('no file'));
    expect(warnings('aa')).toEqual([
      {
        file: 'a.dstack.yml',
        line: 5,
        column: 16,
        path: 'fleets[1]',
        message: 'no file declares the fleet `gpu-pol`, so the service waits for it',
        fix: 'Did you mean `gpu-pool`?',
        severity: 'warning',
      },
      expect.objectContaining({ path: 'fleets[0]', column: 10, fix: expect.stringMatching(/^Add a file/) }),
    ]);
    expect(warnings('bb')).toMatchObject([{ line: 5, column: 25, path: 'volumes[1]' }]);
    expect(warnings('cc')).toMatchObject([
      { path: 'gateway', message: 'no file declares the gateway `edge`' },
    ]);
    expect(warnings('dd')).toMatchObject([
      { path: 'fleets[0]', fix: expect.stringMatching(/of this project/) },
    ]);
    // Another volume will do, so nothing is waited for.
    expect(warnings('ee')).toMatchObject([{ message: 'no file declares the volume `x`' }]);
    expect(tree.conflicts.size).toBe(0);
    expect(tree.problems).toEqual(expect.arrayContaining([...(warnings('aa') ?? [])]));
    const alone = parseTree(files, DEFAULT_POLICY, false);
    expect(alone.problems.filter(({ message }) => message.startsWith('no file'))).toEqual([]);
  });

  test('a fleet that a profile names is looked for as well', () => {
    const profiles = parseProfiles({
      path: '.dstack/profiles.yml',
      text: 'profiles: [{name: gpu, default: true, fleets: [nowhere]}]',
    });
    const context = { root: '', profiles: profiles.profiles };
    const file = parseFile({ path: 'a.dstack.yml', text: `name: aa\n${SERVICE}` }, context);
    expect(parseTree([file], DEFAULT_POLICY).problems).toMatchObject([{ path: 'fleets', line: 1 }]);
  });

  test('each service has the rollout policy that the folder gives it', () => {
    const { policy } = parsePolicy({ path: 'trueup.yml', text: 'services: {web: {rollout: {surge: 4}}}' });
    const { services } = parseTree([parse('web.dstack.yml'), parse('api.dstack.yml')], policy);
    expect(services.get('web')?.spec?.policy.surge).toBe(4);
    expect(services.get('api')?.spec?.policy.surge).toBe(1);
  });
});
