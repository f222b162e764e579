// The server's configuration and its tokens: defaults that work without a word, and every mistake said with its fix.
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveConfig, type ServeOptions, type ServerConfig } from '../../reconciler/config.ts';
import { findToken, loadTokens, makeToken, mayUse, SCOPES, tokenEntry } from '../../reconciler/tokens.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trueup-config-'));
  mkdirSync(join(folder, 'repo'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function configOf(options: ServeOptions, env: NodeJS.ProcessEnv = {}): ServerConfig {
  const result = resolveConfig(options, env, folder);
  if (result.kind === 'config') return result.config;
  throw new Error(JSON.stringify(result.problems));
}

function problemsOf(options: ServeOptions, env: NodeJS.ProcessEnv = {}) {
  const result = resolveConfig(options, env, folder);
  return result.kind === 'problems' ? result.problems : [];
}

function file(text: string): ServeOptions {
  writeFileSync(join(folder, 'server.yml'), text);
  return { config: 'server.yml' };
}

describe('the server config', () => {
  test('without any option watches the examples of the clone the program lies in', () => {
    const [project] = configOf({}).projects;
    expect(project).toMatchObject({ name: 'main', path: 'examples', local: true, repo: { kind: 'local' } });
  });

  test('watches the root of a repository that is named', () => {
    const config = configOf({ repo: 'repo', branch: 'stable' });
    expect(config.projects).toMatchObject([
      {
        name: 'main',
        repo: { kind: 'local', path: join(folder, 'repo') },
        branch: 'stable',
        path: '.',
        pollMs: 30_000,
      },
    ]);
    expect(config).toMatchObject({
      listen: { host: '127.0.0.1', port: 3000 },
      dataDir: join(folder, '.trueup'),
      databaseUrl: null,
      page: 'open',
    });
  });

  test('runs commands of a remote repository on this machine only when asked to', () => {
    const repo = 'https://git.example/team/services.git';
    expect(configOf({ repo }).projects[0]).toMatchObject({
      local: false,
      repo: { kind: 'remote', url: repo },
    });
    const asRoot = process.getuid?.() === 0;
    expect(problemsOf({ repo, backend: ['local'] })).toHaveLength(asRoot ? 1 : 0);
    expect(configOf({ repo, backend: ['local'], allowRoot: true }).projects[0]?.local).toBe(true);
  });

  test('reads projects, secrets and tokens from a file, relative to its folder', () => {
    writeFileSync(join(folder, 'hf'), 'from-file\n');
    const config = configOf(
      file(`
listen: "[::1]:8080"
data_dir: data
local: {slots: 4}
projects:
  main:
    repo: repo
    poll: 2m
    secrets: {HF_TOKEN: file:hf, KEY: env:MY_KEY, GONE: env:GONE}
    webhook_secret: env:HOOK
  other:
    repo: git@git.example:team/other.git
    path: services/
  third: {repo: repo, path: ''}
`),
      { MY_KEY: 'from-env', HOOK: 'hush' },
    );
    expect(config).toMatchObject({
      listen: { host: '::1', port: 8080 },
      dataDir: join(folder, 'data'),
      local: { slots: 4, price: 0 },
    });
    const [main, other, third] = config.projects;
    expect(third).toMatchObject({ path: '.' });
    expect(main).toMatchObject({ name: 'main', pollMs: 120_000, webhookSecret: 'hush', local: true });
    expect(['HF_TOKEN', 'KEY', 'GONE', 'PATH'].map((name) => main?.secrets(name))).toEqual([
      'from-file',
      'from-env',
      null,
      null,
    ]);
    expect(other).toMatchObject({ name: 'other', path: 'services', local: false });
  });

  test('a folder of secrets gives its files and nothing outside it', () => {
    mkdirSync(join(folder, 'secrets'));
    writeFileSync(join(folder, 'secrets', 'TOKEN'), 'x');
    writeFileSync(join(folder, 'outside'), 'y');
    const [project] = configOf(file('projects: {main: {repo: repo, secrets: "dir:secrets"}}')).projects;
    expect([project?.secrets('TOKEN'), project?.secrets('../outside')]).toEqual(['x', null]);
  });

  test('says every mistake of the file with its line and its fix', () => {
    const problems = problemsOf(
      file('listen: 127.0.0.1:3000\nlissten: x\nproxies: many\nprojects:\n  main:\n    pathh: a\n'),
    );
    expect(problems.map(({ line, message, fix }) => [line, message, fix])).toEqual([
      [2, 'unknown key `lissten`', 'Did you mean `listen`?'],
      [3, 'proxies: is not a valid value', 'Write a number of proxy processes from 1 to 64.'],
      [6, 'projects.main.repo: is missing', 'Write an https, ssh or file URL, or a folder.'],
      [6, 'unknown key `pathh`', 'Did you mean `path`?'],
    ]);
  });

  test('says where YAML is broken', () => {
    expect(problemsOf(file('listen: [\n'))).toMatchObject([{ file: 'server.yml', severity: 'error' }]);
  });

  test.each([
    [{ repo: 'nowhere' }, 'there is no folder'],
    [{ repo: 'ftp://x/y' }, 'ftp:// is not spoken'],
    [{ repo: 'https://me:secret@git.example/x' }, 'holds a credential'],
    [{ repo: 'repo', path: '../x' }, 'outside the repository'],
    [{ repo: 'repo', path: '/x' }, 'outside the repository'],
    [{ repo: 'repo', listen: '3000' }, 'cannot listen on `3000`'],
    [{ repo: 'repo', listen: 'localhost:99999' }, 'cannot listen on'],
    [{ repo: 'repo', config: 'gone.yml' }, 'cannot read the config file: ENOENT'],
  ])('refuses %o', (options, message) => {
    const problems = problemsOf(options);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toContain(message);
    expect(problems[0]?.message).not.toContain('secret@');
    expect(problems[0]?.fix).not.toBe('');
  });

  test('refuses a database that is none, without repeating its password', () => {
    const [problem] = problemsOf({ repo: 'repo' }, { DATABASE_URL: 'mysql://u:pass@h/d' });
    expect(problem?.message).toBe('DATABASE_URL is not a Postgres URL');
  });

  test('asks for a token on the page as soon as the address is not this machine alone', () => {
    expect(configOf({ repo: 'repo', listen: '0.0.0.0:3000' }).page).toBe('token');
    expect(configOf({ repo: 'repo', listen: '127.0.0.1:0' }).page).toBe('open');
  });
});

describe('whether commits wait for approval', () => {
  const modes = (options: ServeOptions) =>
    configOf(options).projects.map(({ name, apply }) => `${name} ${apply}`);

  test('is said for the server and for a project, and by option before both', () => {
    const text = 'projects: {main: {repo: repo}, other: {repo: repo, apply: auto}}';
    expect(modes(file(text))).toEqual(['main auto', 'other auto']);
    expect(modes(file(`apply: gated\n${text}`))).toEqual(['main gated', 'other auto']);
    expect(modes({ ...file(text), apply: 'gated' })).toEqual(['main gated', 'other gated']);
  });

  test('is one of two words', () => {
    expect(problemsOf(file('apply: manual\nprojects: {main: {repo: repo}}'))).toMatchObject([
      { line: 1, path: 'apply', fix: expect.stringContaining('`gated`') },
    ]);
  });
});

describe('what this machine is reckoned at', () => {
  test('is nothing, unless a price is given', () => {
    expect(configOf({ repo: 'repo' }).local).toEqual({ slots: 32, price: 0 });
    const priced = file('local: {price: 0.25}\nprojects: {main: {repo: repo}}');
    expect(configOf(priced).local).toEqual({ slots: 32, price: 0.25 });
    const [problem] = problemsOf(file('local: {price: free}\nprojects: {main: {repo: repo}}'));
    expect(problem).toMatchObject({ path: 'local.price', fix: expect.stringContaining('USD per hour') });
  });
});

describe('login by the token of an issuer', () => {
  const withRule = (rule: string) => file(`projects: {main: {repo: repo}}\noidc:\n  - ${rule}\n`);
  const RULE = 'audience: us, repository: me/services';

  test('is for GitHub Actions unless another issuer is named', () => {
    expect(configOf(withRule(`{${RULE}, scopes: [plan], event: pull_request}`)).oidc).toEqual([
      {
        issuer: 'https://token.actions.githubusercontent.com',
        audience: 'us',
        repository: 'me/services',
        ref: null,
        event: ['pull_request'],
        environment: null,
        jobWorkflowRef: null,
        scopes: ['plan'],
        projects: ['*'],
      },
    ]);
    const own = withRule(
      `{${RULE}, issuer: "https://github.me/_services/token", ref: [a, b], scopes: [apply], projects: [main]}`,
    );
    expect(configOf(own).oidc).toMatchObject([{ ref: ['a', 'b'], projects: ['main'] }]);
  });

  test.each([
    [`{${RULE}, scopes: [call]}`, 'oidc.0.scopes.0', 'Write a list of read, plan, apply.'],
    [`{${RULE}, scopes: [plan], refs: main}`, 'oidc.0.refs', 'Did you mean `ref`?'],
    ['{audience: us, repository: services, scopes: [plan]}', 'oidc.0.repository', 'Write OWNER/NAME.'],
    ['{repository: me/services, scopes: [plan]}', 'oidc.0.audience', 'for example the URL of this server'],
    [`{${RULE}, scopes: [apply]}`, 'oidc.0.scopes', 'Add `ref: refs/heads/BRANCH`'],
    [`{${RULE}, scopes: [apply], ref: m, event: [push, pull_request_target]}`, 'oidc.0.event', 'own'],
    [`{${RULE}, scopes: [plan], issuer: "http://git.example"}`, 'oidc.0.issuer', 'Write an https URL.'],
  ])('is refused as %s', (rule, path, fix) => {
    expect(problemsOf(withRule(rule))).toMatchObject([
      { file: 'server.yml', line: 3, path, fix: expect.stringContaining(fix) },
    ]);
  });
});

describe('the statuses of commits at GitHub', () => {
  const ENV = { GITHUB: 'ghp_token', SPACED: 'ghp token' };
  const githubOf = (repo: string, github: string) => {
    const text = `projects: {main: {repo: "${repo}", github: ${github}}}`;
    return configOf(file(text), ENV).projects[0]?.github;
  };

  test('are set only where they are asked for', () => {
    expect(configOf({ repo: 'repo' }).projects[0]?.github).toBeNull();
  });

  test.each([
    'https://github.com/me/services',
    'https://github.com/me/services.git',
    'git@github.com:me/services.git',
    'ssh://git@github.com/me/services.git',
  ])('are those of the repository that is watched, %s', (repo) => {
    expect(githubOf(repo, '{token: env:GITHUB}')).toEqual({
      owner: 'me',
      name: 'services',
      token: 'ghp_token',
      tokenFrom: 'env:GITHUB',
      api: 'https://api.github.com',
      environment: 'main',
    });
  });

  test('may be those of another one, at a GitHub of your own, for an environment by another name', () => {
    const api = 'https://github.example/api/v3';
    expect(githubOf('https://github.example/me/own', `{token: env:GITHUB, api: "${api}/"}`)).toMatchObject({
      owner: 'me',
      name: 'own',
      api,
    });
    const other = githubOf('repo', '{token: env:GITHUB, repository: us/mirror, environment: production}');
    expect(other).toMatchObject({ owner: 'us', name: 'mirror', environment: 'production' });
  });

  test.each([
    ['{}', 'projects.main.github.token', 'Write `env:VARIABLE` or `file:PATH`.'],
    ['{token: ghp_secret}', 'projects.main.github.token', 'Write `env:VARIABLE` or `file:PATH`.'],
    ['{token: env:GONE, repository: a/b}', 'projects.main.github.token', 'Set it before the daemon starts.'],
    ['{token: env:SPACED, repository: a/b}', 'projects.main.github.token', 'Take them out of it.'],
    ['{token: env:GITHUB}', 'projects.main.github', 'Add `repository: OWNER/NAME`.'],
    ['{token: env:GITHUB, repository: b}', 'projects.main.github.repository', 'Write OWNER/NAME.'],
    ['{token: env:GITHUB, repo: a/b}', 'projects.main.github.repo', 'Remove it.'],
    ['{token: env:GITHUB, repository: a/b, api: "http://git.example"}', 'projects.main.github.api', 'https'],
    ['{token: env:GITHUB, repository: a/b, api: ftp}', 'projects.main.github.api', 'the URL of its API'],
    [
      '{token: env:GITHUB, repository: a/b, environment: ""}',
      'projects.main.github.environment',
      'name of an',
    ],
    ['yes', 'projects.main.github', 'Write `{token: env:VARIABLE}`'],
  ])('are refused as %s', (github, path, fix) => {
    const problems = problemsOf(file(`projects:\n  main:\n    repo: repo\n    github: ${github}\n`), ENV);
    expect(problems).toMatchObject([
      { file: 'server.yml', line: 4, path, fix: expect.stringContaining(fix) },
    ]);
    expect(JSON.stringify(problems)).not.toMatch(/ghp_token|ghp token/);
  });
});

describe('tokens', () => {
  test('are made once per data dir, readable by their owner only', async () => {
    const dataDir = join(folder, 'tokens');
    const [first, beside] = await Promise.all([loadTokens(dataDir, {}), loadTokens(dataDir, {})]);
    expect(beside).toEqual(first);
    expect(await loadTokens(dataDir, {})).toEqual(first);
    expect(first.entries.map(({ name, scopes }) => [name, scopes])).toEqual([
      ['admin', ['admin']],
      ['call', ['call']],
    ]);
    expect(statSync(join(dataDir, 'token')).mode & 0o777).toBe(0o600);
    expect(JSON.stringify(first.entries)).not.toContain(first.admin);
  });

  test('TRUEUP_TOKEN is the only token and leaves no file', async () => {
    const dataDir = join(folder, 'env-token');
    const tokens = await loadTokens(dataDir, { TRUEUP_TOKEN: 'mine' });
    expect(tokens).toMatchObject({ admin: 'mine', call: null });
    expect(statSync(dataDir, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('a token file that others can read is refused', async () => {
    const dataDir = join(folder, 'loose');
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, 'token'), 'x', { mode: 0o644 });
    await expect(loadTokens(dataDir, {})).rejects.toMatchObject({
      fix: expect.stringContaining('chmod 600'),
    });
  });

  test('open what their scopes and projects say, and nothing more', () => {
    const token = makeToken();
    const entries = [
      tokenEntry('root', 'other', ['admin']),
      tokenEntry('ci', token, ['read', 'plan'], ['main']),
    ];
    const ci = findToken(entries, token);
    expect(ci?.name).toBe('ci');
    expect(findToken(entries, `${token}x`)).toBeNull();
    expect(
      ci && [mayUse(ci, 'read', 'main'), mayUse(ci, 'read', 'other'), mayUse(ci, 'apply', 'main')],
    ).toEqual([true, false, false]);
    const held = SCOPES.map((scope) =>
      SCOPES.filter((wanted) => mayUse(tokenEntry('any', token, [scope]), wanted, 'main')),
    );
    expect(held).toEqual([[...SCOPES], ['read'], ['read', 'plan'], ['read', 'plan', 'apply'], ['call']]);
    const root = findToken(entries, 'other');
    expect(root && mayUse(root, 'call', 'any')).toBe(true);
  });
});
