// `trueup validate` over folders, inside of a repository and outside of any, for people and for workflow runs.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { validateReportSchema } from '../../schemas/api.ts';
import { canonical, type JsonObject } from '../../schemas/json.ts';

const CLI = resolve(import.meta.dirname, '../../reconciler/trueup.mjs');
const SERVICE = 'type: service\nport: 80\nimage: nginx\n';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trueup-validate-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(files: { readonly [path: string]: string }): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: folder },
    maxBuffer: 1 << 26,
  });
  return { code: status, out: stdout, err: stderr };
}

function validate(...args: string[]): { readonly code: number | null; readonly out: string } {
  const { code, out } = run('validate', ...args);
  return { code, out };
}

function problemsOf(...args: string[]): string[] {
  const { files } = validateReportSchema.parse(JSON.parse(validate(...args, '--json').out));
  return files.flatMap(({ path, problems }) =>
    problems.map(({ severity, message }) => `${path} ${severity}: ${message}`),
  );
}

describe('a folder', () => {
  const files = {
    '1.dstack.yml': SERVICE,
    'a.dstack.yml': `name: same\n${SERVICE}`,
    'b.dstack.yml': `name: same\n${SERVICE}files: [../x]\n`,
  };
  const messages = (severity: string) => [
    `1.dstack.yml ${severity}: the name from the file's path, \`1\`, is not a valid one`,
    `a.dstack.yml ${severity}: the name \`same\` is also claimed by b.dstack.yml`,
    `b.dstack.yml ${severity}: \`../x\` is outside the repository`,
    `b.dstack.yml ${severity}: the name \`same\` is also claimed by a.dstack.yml`,
  ];

  test('outside of any repository: what only a repository decides is a warning', () => {
    write(files);
    expect(problemsOf('.')).toEqual(messages('warning'));
    expect(validate('.').code).toBe(0);
  });

  test('that is a repository: it is an error', () => {
    write({ ...files, '.git/HEAD': '' });
    expect(problemsOf('.')).toEqual(messages('error'));
    expect(validate('.').code).toBe(1);
  });

  test('below the root of its repository may refer to what lies beside it', () => {
    write({ '.git/HEAD': '', 'services/web.dstack.yml': `${SERVICE}files: [../x]\n` });
    expect(problemsOf('services')).toEqual([]);
  });
});

describe('settings', () => {
  const profiles = 'profiles: [{name: a, default: true}]\n';

  test('that are named are judged as what they are', () => {
    write({ 'trueup.yml': 'budgett: 1\n', '.dstack/profiles.yml': profiles, 'web.dstack.yml': SERVICE });
    expect(problemsOf('trueup.yml')).toEqual([
      expect.stringMatching(/^trueup\.yml error: `budgett` is not a known key$/),
    ]);
    const { files } = validateReportSchema.parse(JSON.parse(validate('.dstack/profiles.yml', '--json').out));
    expect(files).toEqual([{ path: '.dstack/profiles.yml', type: 'profiles', ok: true, problems: [] }]);
    expect(validate('.dstack/profiles.yml').out).toBe('✓ .dstack/profiles.yml profiles\n');
  });
});

test('the last line counts as people do', () => {
  write({ 'a.dstack.yml': `${SERVICE}a: 1\n`, 'web.dstack.yml': SERVICE });
  expect(validate('.').out).toMatch(/\n2 files 1 invalid \(1 error\)\n$/);
  write({ 'b.dstack.yml': `${SERVICE}a: 1\n` });
  expect(validate('.').out).toMatch(/\n3 files 2 invalid \(2 errors\)\n$/);
});

describe('what a commit cannot give', () => {
  test('links and files that are too large are problems, as the daemon has them', () => {
    write({ 'web.dstack.yml': SERVICE, 'large.dstack.yml': `${SERVICE}#${'x'.repeat(1 << 20)}\n` });
    symlinkSync('web.dstack.yml', join(folder, 'link.dstack.yml'));
    symlinkSync('.', join(folder, 'around'));
    expect(problemsOf('.')).toEqual([
      `large.dstack.yml error: this file has ${SERVICE.length + (1 << 20) + 2} bytes; at most ${1 << 20} are read`,
      'link.dstack.yml error: this is a symbolic link, and links are not followed',
    ]);
    expect(validate('.').code).toBe(1);
  });

  test('is not planned without them', () => {
    write({ 'web.dstack.yml': SERVICE });
    symlinkSync('web.dstack.yml', join(folder, 'link.dstack.yml'));
    expect(run('plan', '--offline', '.')).toMatchObject({
      code: 1,
      err: expect.stringContaining('link.dstack.yml: this is a symbolic link'),
    });
  });

  test('nor a path that leads in circles, or below a file', () => {
    write({ 'web.dstack.yml': SERVICE });
    symlinkSync('self', join(folder, 'self'));
    for (const path of ['self', 'web.dstack.yml/x', 'nowhere'])
      expect(run('validate', path)).toMatchObject({
        code: 2,
        out: '',
        err: expect.stringContaining(`error: there is no file or folder ${path}`),
      });
  });

  test.skipIf(process.getuid?.() === 0)('a folder that may not be read is named (skipped for root)', () => {
    write({ 'closed/web.dstack.yml': SERVICE });
    chmodSync(join(folder, 'closed'), 0);
    const { code, err } = run('validate', '.');
    chmodSync(join(folder, 'closed'), 0o700);
    expect([code, err]).toEqual([2, expect.stringMatching(/cannot read .*closed: EACCES\nCheck/)]);
  });
});

describe('annotations', () => {
  test('have the place in the checkout, the message and the fix', () => {
    write({ '.git/HEAD': '', 'team/web.dstack.yml': `${SERVICE}replica: 2\nuser: "a:b:c, 100%"\n` });
    const { code, out } = validate('--format', 'github', 'team');
    expect(code).toBe(1);
    expect(out.split('\n')).toEqual([
      '::error file=team/web.dstack.yml,line=4,endLine=4,col=1,endColumn=8::`replica` is not a known key%0ADid you mean `replicas`?',
      '::error file=team/web.dstack.yml,line=5,endLine=5,col=7,endColumn=20::`a:b:c, 100%25` is not a user%0AWrite `user`, `user:group` or their numbers.',
      '',
    ]);
  });

  test('are not there when nothing is wrong', () => {
    write({ 'web.dstack.yml': SERVICE });
    expect(validate('--format', 'github', '.')).toEqual({ code: 0, out: '' });
  });
});

describe('the caret', () => {
  test.each([
    ['a key', 'comand: [x]', 'comand: [x]\n    | ^^^^^^'],
    ['a value', 'user: a:b:c # no', 'user: a:b:c # no\n    |       ^^^^^'],
    ['a list', 'entrypoint: [a, [b]] # no', 'entrypoint: [a, [b]] # no\n    |             ^^^^^^^^'],
    ['an item', 'backends: [aws, ec2]', 'backends: [aws, ec2]\n    |                 ^^^'],
    ['a quote that is never closed', 'user: "x', 'user: "x\n    |       ^^'],
    ['a tab', 'env:\n\tA: b', ' A: b\n    | ^'],
    ['wide letters', 'env: [日本 = x]', 'env: [日本 = x]\n    |       ^^^^^^^^'],
  ])('is under %s', (_what, line, expected) => {
    write({ 'web.dstack.yml': SERVICE + line });
    expect(validate('web.dstack.yml').out).toContain(expected);
  });
});

const CORPUS = resolve(import.meta.dirname, '../../../shared/configs');
const VERDICTS = join(CORPUS, 'verdicts.jsonl');

test.skipIf(!existsSync(VERDICTS))(
  'a folder of real files (skipped where ../shared/configs is not there)',
  () => {
    const { files } = validateReportSchema.parse(JSON.parse(validate(CORPUS, '--json').out));
    const judged = new Map(files.map((file) => [file.path.split('/').at(-1), file]));
    for (const line of readFileSync(VERDICTS, 'utf8').trim().split('\n')) {
      const verdict = JSON.parse(line) as { file: string; final_ok: boolean; configuration?: JsonObject };
      const file = judged.get(verdict.file);
      expect([verdict.file, file?.ok]).toEqual([verdict.file, verdict.final_ok]);
      if (verdict.final_ok) expect(canonical(file?.configuration)).toBe(canonical(verdict.configuration));
    }
  },
);
