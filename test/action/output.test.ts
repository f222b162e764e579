// What reaches the runner: nothing that a repository or a service says can command it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createOutput, type Output } from '../../action/output.ts';

let dir: string;
let printed: string;
let out: Output;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trueup-output-'));
  printed = '';
  const env = { GITHUB_OUTPUT: join(dir, 'output'), GITHUB_STEP_SUMMARY: join(dir, 'summary') };
  for (const path of Object.values(env)) writeFileSync(path, '');
  out = createOutput(env, (text) => {
    printed += text;
  });
});
afterEach(() => rmSync(dir, { recursive: true }));

test.each([
  '::set-output name=x::y',
  '  ::error::no',
  'one\n::add-mask::a',
  'one\r::stop-commands::x',
  'web ##[error]no',
  '\u0085\u00a0::add-mask::a',
])('a line of the log is never a command: %j', (text) => {
  out.line(text);
  expect(printed).not.toMatch(/^[\s\u0085]*::/m);
  expect(printed).not.toContain('##[');
});

test('an annotation keeps its lines, and names its place', () => {
  out.annotate('error', '50% off\nnow', { file: 'a,b:c.dstack.yml', line: 3, column: 5 });
  expect(printed).toBe('::error file=a%2Cb%3Ac.dstack.yml,line=3,col=5::50%25 off%0Anow\n');
});

test('an output ends where it ends, whatever is in it', () => {
  out.set('plan', 'one\nEOF\nfailure-reason<<x');
  out.set('other', '');
  const text = readFileSync(join(dir, 'output'), 'utf8');
  const [, end = ''] = /^plan<<(\S+)\n/.exec(text) ?? [];
  expect(end.length).toBeGreaterThan(30);
  expect(text.split(`\n${end}\n`)[0]).toBe(`plan<<${end}\none\nEOF\nfailure-reason<<x`);
});

test('groups and masks are commands, and the summary is what was written', () => {
  out.group('Following')();
  out.mask('hunter2');
  out.summary('# one');
  out.summary('# two');
  expect(printed).toBe('::group::Following\n::endgroup::\n::add-mask::hunter2\n');
  expect(readFileSync(join(dir, 'summary'), 'utf8')).toBe('# one\n\n# two\n\n');
});
