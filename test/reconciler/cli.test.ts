// The command line as people and scripts meet it: the real program as a child process, against a real API.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { writeAddress } from '../../reconciler/cli/address.ts';
import { statusSchema, validateReportSchema, whySchema } from '../../schemas/api.ts';
import type { Problem } from '../../schemas/errors.ts';
import { planSchema } from '../../schemas/plan.ts';
import { replica, service, state } from '../plan/samples.ts';
import { COMMIT, startWorld, TOKENS, type World } from './api-server.ts';

const CLI = resolve(import.meta.dirname, '../../reconciler/trueup.mjs');
const LONG = `llama-${'very-'.repeat(12)}long`;

let world: World;
let folder: string;
const running = new Set<ChildProcess>();

const problem: Problem = {
  file: 'api.dstack.yml',
  line: 3,
  column: 7,
  path: 'port',
  message: '`eighty` is not a port',
  fix: 'Write `8000`.',
  severity: 'error',
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trueup-cli-'));
  world = await startWorld();
  await world.putProject({});
  const [web, long] = [service('web'), service(LONG)];
  await world.put('web', { service: web, removed: false, problems: [] }, state(web));
  await world.put(
    LONG,
    { service: long, removed: false, problems: [] },
    state(long, { replicas: [replica(`${LONG}-0`)] }),
  );
  await world.say({ service: 'web', event: 'deployment', reason: 'deployment 1' });
  await world.say({ service: 'web', event: 'replica-ready', reason: 'web-0 is ready', replica: 'web-0' });
  const line = (name: string, text: string) => ({ at: 0, replica: name, stream: 'out', text }) as const;
  world.logs.set('web', [line('web-0', 'one'), line('web-0', 'two \x1b[31mred\x07')]);
});
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  readonly out: () => string;
  readonly err: () => string;
  readonly end: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
}

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd = folder): Run {
  const server = { TRUEUP_URL: world.url, TRUEUP_TOKEN: TOKENS.read };
  const own = { PATH: process.env.PATH, HOME: folder, TZ: 'UTC', ...server, ...env };
  const child = spawn(process.execPath, [CLI, ...args], { cwd, env: own, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (err += chunk));
  const end = once(child, 'close').then(([code]) => {
    running.delete(child);
    return { code, out, err };
  });
  return { child, out: () => out, err: () => err, end };
}

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string) {
  return start(args, env, cwd).end;
}

describe('reading', () => {
  test('status --json is one document in the promised shape', async () => {
    const { code, out, err } = await run(['status', '--json']);
    const status = statusSchema.parse(JSON.parse(out));
    expect(status.services.map(({ name }) => name)).toEqual([LONG, 'web']);
    expect([code, err, status.commit]).toEqual([0, '', COMMIT]);
  });

  test('status fits 80 columns, shortens long names in the middle, and has no colour in a pipe', async () => {
    for (const args of [['status'], ['status', LONG], ['why', 'web']]) {
      const { out } = await run(args);
      expect(out).toBe(stripVTControlCharacters(out));
      const lines = out
        .split('\n')
        .filter((line) => !line.includes('http://') && line !== `${LONG} running 1/1`);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    }
    expect((await run(['status'])).out).toMatch(/llama-very-.*….*-long +running/);
  });

  test('colour can be asked for, and refused', async () => {
    expect((await run(['status'], { FORCE_COLOR: '1' })).out).toContain('\x1b[32mrunning');
    expect((await run(['status'], { FORCE_COLOR: '1', NO_COLOR: '1' })).out).not.toContain('\x1b');
  });

  test('one service: the same document with that service alone', async () => {
    const { out } = await run(['status', 'web', '--json']);
    expect(statusSchema.parse(JSON.parse(out)).services.map(({ name }) => name)).toEqual(['web']);
    expect((await run(['status', 'web'])).out).toContain(`${world.url}/proxy/services/main/web/`);
  });

  test('a service that is not as asked makes the answer no', async () => {
    await world.put('api', { service: null, removed: false, problems: [problem] }, null);
    const { code, out } = await run(['status']);
    expect([code, out]).toEqual([1, expect.stringContaining('api.dstack.yml:3 `eighty` is not a port')]);
    expect((await run(['status', 'web'])).code).toBe(0);
    const why = await run(['why', 'api', '--json']);
    expect(whySchema.parse(JSON.parse(why.out))).toMatchObject({ status: 'invalid', problems: [problem] });
    expect((await run(['why', 'api'])).out).toContain('Write `8000`.');
    await world.put('api', null, null);
  });

  test('plan shows the newest commit, or a folder before it is one', async () => {
    expect(planSchema.parse(JSON.parse((await run(['plan', '--json'])).out))).toMatchObject({
      commit: COMMIT,
    });
    expect((await run(['plan'])).out).toContain('Nothing changes.');
    const repo = join(folder, 'repo');
    mkdirSync(repo);
    writeFileSync(join(repo, 'web.dstack.yml'), 'type: service\nport: 8000\ncommands: [node b.js]\n');
    const { out, code } = await run(['plan', 'repo']);
    expect(code).toBe(0);
    expect(out).toMatch(/~ web update \(replace: rolling\)/);
    expect(out).toContain('~ commands[0] node app.js → node b.js');
    expect(out).toContain('1 to update, 1 to delete');
  });
});

describe('offline', () => {
  test('validate shows the line with a caret under the value, the message and the fix', async () => {
    writeFileSync(
      join(folder, 'bad.dstack.yml'),
      'type: service\nname: bad\nport: eighty # no\ncommands: [a]\n',
    );
    const { code, out } = await run(['validate', 'bad.dstack.yml']);
    expect(code).toBe(1);
    expect(out).toContain('  bad.dstack.yml:3:7\n  3 | port: eighty # no\n    |       ^^^^^^\n  fix ');
  });

  test('validate --json walks folders and gives the normalised configuration', async () => {
    const repo = join(folder, 'tree');
    mkdirSync(join(repo, 'team'), { recursive: true });
    writeFileSync(join(repo, 'team', 'web.dstack.yaml'), 'type: service\nport: 8000\ncommands: [a]\n');
    writeFileSync(join(repo, '.dstack.yml'), 'type: task\ncommands: [a]\n');
    writeFileSync(join(repo, 'notes.yml'), 'type: nonsense\n');
    const { code, out } = await run(['validate', '--json', 'tree']);
    const { files } = validateReportSchema.parse(JSON.parse(out));
    expect(files.map(({ path, type, ok }) => [path, type, ok])).toEqual([
      ['tree/.dstack.yml', 'task', true],
      ['tree/team/web.dstack.yaml', 'service', true],
    ]);
    expect(files[1]?.configuration).toMatchObject({ auth: true, port: { container_port: 8000 } });
    expect(code).toBe(0);
  });

  test('two files of one name are both wrong', async () => {
    const repo = join(folder, 'twice');
    mkdirSync(join(repo, '.git'), { recursive: true });
    for (const name of ['a', 'b']) {
      writeFileSync(join(repo, `${name}.dstack.yml`), 'type: service\nname: same\nport: 1\ncommands: [a]\n');
    }
    const { code, out } = await run(['validate', '--json', 'twice']);
    expect(validateReportSchema.parse(JSON.parse(out)).files.map(({ ok }) => ok)).toEqual([false, false]);
    expect(code).toBe(1);
  });

  test('plan --offline needs no server', async () => {
    writeFileSync(
      join(folder, 'solo.dstack.yml'),
      'type: service\nname: solo\nport: 1\ncommands: [a]\nenv: [TOKEN]\n',
    );
    const { code, out } = await run(['plan', '--offline', 'solo.dstack.yml', '--json'], { TRUEUP_URL: '' });
    expect(planSchema.parse(JSON.parse(out)).changes).toMatchObject([{ service: 'solo', change: 'create' }]);
    expect(code).toBe(0);
  });

  test('token new prints a token and its entry', async () => {
    const { out } = await run(['token', 'new', '--name', 'ci', '--scope', 'read', 'plan', '--json']);
    expect(JSON.parse(out)).toMatchObject({
      token: expect.stringMatching(/^trueup_/),
      entry: {
        name: 'ci',
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        scopes: ['read', 'plan'],
        projects: ['*'],
      },
    });
  });
});

describe('what goes wrong', () => {
  test.each([
    [['statsu'], {}, 'Did you mean status?'],
    [['status', '--jsn'], {}, 'Did you mean --json?'],
    [['logs', 'web', '--replica', 'x'], {}, 'whole number'],
    [['validate'], {}, 'missing required argument'],
    [['validate', 'nowhere'], {}, 'there is no file or folder nowhere'],
    [['status', 'wbe'], {}, 'Did you mean `web`?'],
    [['--project', 'mian', 'status'], { TRUEUP_TOKEN: TOKENS.admin }, 'Did you mean `main`?'],
    [['status'], { TRUEUP_TOKEN: 'guess' }, 'Set TRUEUP_TOKEN'],
    [['status'], { TRUEUP_URL: 'http://127.0.0.1:9' }, 'Set TRUEUP_URL'],
    [['status'], { TRUEUP_URL: 'localhost' }, 'TRUEUP_URL is not an address'],
    [['status'], { TRUEUP_URL: '', TRUEUP_TOKEN: '' }, 'trueup serve'],
    [['serve', '--repo', 'nowhere'], {}, 'there is no folder'],
  ])('trueup %j is wrong usage and says what to do', async (args, env, message) => {
    const { code, out, err } = await run(args, env);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
    expect(err).not.toMatch(/\n {4}at /);
  });

  test('a plan of one file against what runs: everything else would look as if it were gone', async () => {
    mkdirSync(join(folder, 'lone'));
    writeFileSync(join(folder, 'lone', 'web.dstack.yml'), 'type: service\nport: 1\ncommands: [a]\n');
    const { code, out, err } = await run(['plan', 'lone/web.dstack.yml']);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('Name the folder, as in `trueup plan lone`');
  });

  test('a token without the right is refused', async () => {
    const { code, err } = await run(['status'], { TRUEUP_TOKEN: TOKENS.call });
    expect([code, err]).toEqual([1, expect.stringContaining('scope `read`')]);
  });

  test('help and version are fine', async () => {
    expect(await run(['--version'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    expect(await run(['events', '--help'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('$ trueup events web --follow'),
    });
  });
});

describe('the server nearby', () => {
  test('is found upwards from the working folder', async () => {
    const below = join(folder, 'near', 'a', 'b');
    mkdirSync(below, { recursive: true });
    mkdirSync(join(folder, 'near', '.trueup'));
    writeAddress(join(folder, 'near', '.trueup'), { url: world.url, token: TOKENS.read });
    const none = { TRUEUP_URL: '', TRUEUP_TOKEN: '' };
    expect((await run(['status', 'web'], none, below)).code).toBe(0);
    rmSync(join(folder, 'near'), { recursive: true });
  });

  test('elsewhere is never sent the token of the environment', async () => {
    const far = join(folder, 'far');
    mkdirSync(join(far, '.trueup'), { recursive: true });
    writeAddress(join(far, '.trueup'), { url: 'http://hostile.invalid', token: 'its own' });
    const { findAddress } = await import('../../reconciler/cli/address.ts');
    expect(findAddress({ TRUEUP_TOKEN: 'mine' }, far)).toEqual({
      url: 'http://hostile.invalid',
      token: 'its own',
    });
    writeAddress(join(far, '.trueup'), { url: world.url, token: 'its own' });
    expect(findAddress({ TRUEUP_TOKEN: 'mine' }, far)).toEqual({ url: world.url, token: 'mine' });
    expect(findAddress({ TRUEUP_URL: 'https://other.example' }, far)).toEqual({
      url: 'https://other.example',
      token: '',
    });
  });
});

describe('streams', () => {
  test('events are lines; --json gives one object each', async () => {
    const { out } = await run(['events', 'web', '--json']);
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual(['deployment', 'replica-ready']);
    expect((await run(['events'])).out).toMatch(/web +replica-ready +web-0 is ready\n/);
  });

  test('events --follow goes on until Ctrl-C', async () => {
    const following = start(['events', '--follow', '--json']);
    await expect.poll(following.out, { timeout: 10_000 }).toContain('replica-ready');
    await world.say({ service: 'web', event: 'status', reason: 'later' });
    await expect.poll(following.out, { timeout: 10_000 }).toContain('later');
    following.child.kill('SIGINT');
    const { code, err } = await following.end;
    expect([code, err]).toEqual([130, '']);
  });

  test('logs show what was printed, without steering the terminal', async () => {
    const { out } = await run(['logs', 'web', '--replica', '0']);
    expect(out).toBe('one\ntwo red\\x07\n');
    const json = await run(['logs', 'web', '--json']);
    expect(JSON.parse(json.out.split('\n')[1] ?? '')).toMatchObject({
      replica: 'web-0',
      text: 'two \x1b[31mred\x07',
    });
  });

  test('status --watch in a pipe prints a line per change', async () => {
    const watching = start(['status', 'web', '--watch']);
    await expect.poll(watching.out, { timeout: 10_000 }).toContain('running');
    const web = service('web');
    await world.put(
      'web',
      { service: web, removed: false, problems: [] },
      state(web, { status: 'degraded', replicas: [] }),
    );
    await expect.poll(watching.out, { timeout: 10_000 }).toContain('degraded');
    await world.put('web', { service: web, removed: false, problems: [] }, state(web));
    await expect.poll(() => watching.out().match(/running/g)?.length, { timeout: 10_000 }).toBe(2);
    watching.child.kill('SIGINT');
    const { out, err } = await watching.end;
    expect([out.trim().split('\n').length, err]).toEqual([3, '']);
  });

  test('a closed pipe is quiet', async () => {
    const following = start(['events', '--follow']);
    await expect.poll(following.out, { timeout: 10_000 }).toContain('replica-ready');
    following.child.stdout?.destroy();
    await world.say({ service: 'web', event: 'status', reason: 'into nowhere' });
    await world.say({ service: 'web', event: 'status', reason: 'into nowhere' });
    expect(await following.end).toMatchObject({ code: 0, err: '' });
  });
});

// A terminal of its own; `script` is part of util-linux.
describe.skipIf(!existsSync('/usr/bin/script'))('in a terminal (skipped without script)', () => {
  test('--watch redraws in place and gives the cursor back on Ctrl-C', async () => {
    const command = `exec ${process.execPath} ${CLI} status --watch`;
    const env = { PATH: process.env.PATH, TERM: 'xterm', TRUEUP_URL: world.url, TRUEUP_TOKEN: TOKENS.read };
    const child = spawn('/usr/bin/script', ['-qec', command, '/dev/null'], { env, cwd: folder });
    running.add(child);
    let out = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    await expect.poll(() => out.split('\x1b[?25l').length, { timeout: 10_000 }).toBeGreaterThan(2);
    // Up over every line that was drawn: a header, blank, table head, two services, blank, footer.
    expect(out).toContain('\x1b[7A');
    child.stdin.write('\x03');
    await once(child, 'close');
    running.delete(child);
    expect(out.trimEnd().endsWith('\x1b[?25h\x1b[?7h')).toBe(true);
  });
});
