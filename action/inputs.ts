// What the workflow says: the inputs of `action.yml`, checked. Every one of them that cannot be meant is named, with what would do.
import { Failure } from '../schemas/errors.ts';
import { parseDuration } from '../schemas/units.ts';

export const FAIL_ON = ['problems', 'over-budget', 'destroy', 'drift'] as const;
export type FailOn = (typeof FAIL_ON)[number];

export interface Inputs {
  readonly mode: 'plan' | 'apply';
  /** Without a slash at its end; null: there is none, and plans are made offline. */
  readonly server: string | null;
  /** Of the server; null: the identity of the job is what proves who asks. */
  readonly token: string | null;
  /** What the identity is asked for; null: the address of the server. */
  readonly audience: string | null;
  readonly project: string;
  /** The watched folder from the root of the repository, '' for all of it. */
  readonly path: string;
  readonly wait: boolean;
  readonly timeoutMs: number;
  readonly comment: 'sticky' | 'new' | 'off';
  readonly failOn: readonly FailOn[];
  /** A fraction; null: the server's own. */
  readonly tolerance: number | null;
  /** null: only in a repository that is not public. */
  readonly logs: boolean | null;
  /** Of GitHub's deployments; null: none are made. */
  readonly environment: string | null;
  /** Whether a commit without a pull request may be planned and applied in one go. */
  readonly allowDirect: boolean;
  readonly githubToken: string | null;
}

/** Throws `invalid`, naming the input. */
export function readInputs(env: NodeJS.ProcessEnv): Inputs {
  const text = (name: string) => env[`INPUT_${name.toUpperCase()}`]?.trim() ?? '';
  const { TRUEUP_TOKEN } = env;
  const project = text('project') || 'main';
  return {
    mode: oneOf('mode', text('mode') || 'plan', ['plan', 'apply']),
    server: serverOf(text('server')),
    token: text('token') || TRUEUP_TOKEN || null,
    audience: text('audience') || null,
    project,
    path: folderOf(text('path')),
    wait: yesOrNo('wait', text('wait') || 'true'),
    timeoutMs: durationOf(text('timeout') || '30m'),
    comment: oneOf('comment', text('comment') || 'sticky', ['sticky', 'new', 'off']),
    failOn: failOnOf(text('fail-on') || 'problems'),
    tolerance: text('price-tolerance') === '' ? null : fractionOf(text('price-tolerance')),
    logs: text('logs') === '' ? null : yesOrNo('logs', text('logs')),
    environment: text('environment') === 'off' ? null : text('environment') || project,
    allowDirect: yesOrNo('allow-direct', text('allow-direct') || 'false'),
    githubToken: text('github-token') || null,
  };
}

// Private

function wrong(name: string, value: string, fix: string): Failure {
  return new Failure('invalid', `the input \`${name}\` cannot be \`${value}\``, { fix });
}

function oneOf<const T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found !== undefined) return found;
  throw wrong(name, value, `Write ${allowed.map((each) => `\`${each}\``).join(' or ')}.`);
}

function yesOrNo(name: string, value: string): boolean {
  return oneOf(name, value.toLowerCase(), ['true', 'false']) === 'true';
}

/** Not shown when it is wrong: it may hold a password. */
function serverOf(text: string): string | null {
  if (text === '') return null;
  const url = URL.parse(text);
  const isAddress = url && /^https?:$/.test(url.protocol) && !/[@?#]/.test(text);
  if (isAddress) return text.replace(/\/+$/, '');
  throw new Failure('invalid', 'the input `server` is not the address of a server', {
    fix: 'Write https://HOST or https://HOST/PATH, without user, password or query.',
  });
}

function folderOf(text: string): string {
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (!text.startsWith('/') && !parts.includes('..') && !text.includes('\\')) return parts.join('/');
  throw wrong('path', text, 'Name a folder from the root of the repository, as `services/prod`.');
}

/** Of a timer; no job lasts as long. */
const LONGEST_MS = 2 ** 31 - 1;

function durationOf(text: string): number {
  const seconds = parseDuration(text);
  if (seconds !== undefined && seconds > 0) return Math.min(seconds * 1000, LONGEST_MS);
  throw wrong('timeout', text, 'Write a duration, as `30m` or `1h30m`.');
}

function failOnOf(text: string): FailOn[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  if (words.length === 1 && words[0] === 'none') return [];
  return words.map((word) => oneOf('fail-on', word, FAIL_ON));
}

/** `5%` or `0.05`. A number from 1 on could be meant as either. */
function fractionOf(text: string): number {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(text) ?? [];
  const number = Number(digits);
  if (percent ? number <= 1000 : number < 1) return percent ? number / 100 : number;
  throw wrong(
    'price-tolerance',
    text,
    'Write a percentage up to `1000%`, as `5%`, or a fraction below 1, as `0.05`.',
  );
}
