// What the workflow may say, and what is said when it says something else.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { readInputs } from '../../action/inputs.ts';
import { ACTION } from './runner.ts';

const read = (inputs: Readonly<Record<string, string>>, more: NodeJS.ProcessEnv = {}) =>
  readInputs({
    ...Object.fromEntries(
      Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
    ),
    ...more,
  });

describe('inputs', () => {
  test('all have a default but the server', () => {
    expect(read({})).toEqual({
      mode: 'plan',
      server: null,
      token: null,
      audience: null,
      project: 'main',
      path: '',
      wait: true,
      timeoutMs: 30 * 60_000,
      comment: 'sticky',
      failOn: ['problems'],
      tolerance: null,
      logs: null,
      environment: 'main',
      allowDirect: false,
      githubToken: null,
    });
  });

  test('are the same without any and with those that action.yml has by default', () => {
    const schema = z.object({ inputs: z.record(z.string(), z.object({ default: z.string().optional() })) });
    const { inputs } = schema.parse(parse(readFileSync(join(ACTION, 'action.yml'), 'utf8')));
    const usual = Object.entries(inputs).map(([name, { default: text = '' }]) => [name, text]);
    expect({ ...read(Object.fromEntries(usual)), githubToken: null }).toEqual(read({}));
  });

  test('are understood as people write them', () => {
    expect(read({ path: './services/prod/', server: 'https://trueup.example.com/' })).toMatchObject({
      path: 'services/prod',
      server: 'https://trueup.example.com',
    });
    expect(read({ 'price-tolerance': '12.5%' }).tolerance).toBe(0.125);
    expect(read({ 'price-tolerance': '0.2' }).tolerance).toBe(0.2);
    expect(read({ timeout: '1h30m' }).timeoutMs).toBe(5_400_000);
    expect(read({ timeout: '60d' }).timeoutMs).toBe(2 ** 31 - 1);
    expect(read({ 'fail-on': 'problems, destroy over-budget' }).failOn).toEqual([
      'problems',
      'destroy',
      'over-budget',
    ]);
    expect(read({ 'fail-on': 'none' }).failOn).toEqual([]);
    expect(read({ environment: 'off' }).environment).toBeNull();
    expect(read({ project: 'eu' })).toMatchObject({ project: 'eu', environment: 'eu' });
    expect(read({}, { TRUEUP_TOKEN: 'of the environment' }).token).toBe('of the environment');
  });

  test.each([
    ['mode', 'destroy', /`mode` cannot be `destroy`/],
    ['path', '../other', /`path`/],
    ['path', '/etc', /`path`/],
    ['timeout', 'soon', /`timeout`/],
    ['timeout', '0', /`timeout`/],
    ['fail-on', 'drft', /`fail-on` cannot be `drft`/],
    ['price-tolerance', '-5%', /`price-tolerance`/],
    ['price-tolerance', '5000%', /`price-tolerance`/],
    ['price-tolerance', '5', /`price-tolerance`/],
    ['wait', 'perhaps', /`wait`/],
    ['server', 'ftp://trueup.example.com', /`server`/],
  ])('say what is wrong with %s: %s', (name, value, message) => {
    expect(() => read({ [name]: value })).toThrow(message);
  });

  test('never repeat an address with a password in it', () => {
    expect(() => read({ server: 'https://me:hunter2@trueup.example.com' })).toThrow(/^(?!.*hunter2)/);
  });
});
