// The server's config file: YAML into settings, or every mistake in it with line and fix. Reads nothing but the text.
import { isNode, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import type { Problem } from '../schemas/errors.ts';
import { closest } from '../schemas/problems.ts';

import { SCOPES } from './tokens.ts';

const text = z.string().min(1);
const secrets = z.union([z.string().regex(/^dir:.+/), z.record(text, z.string().regex(/^(env|file):.+/))]);

const oneOrMore = z.union([text.transform((one) => [one]), z.array(text).min(1)]);

/** Whom an issuer's token lets in. Without `ref`, `environment` and so on, any will do. */
const oidcSchema = z.strictObject({
  issuer: z.url({ protocol: /^https?$/ }).default('https://token.actions.githubusercontent.com'),
  audience: text,
  repository: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
  ref: oneOrMore.optional(),
  event: oneOrMore.optional(),
  environment: oneOrMore.optional(),
  job_workflow_ref: oneOrMore.optional(),
  scopes: z.array(z.enum(['read', 'plan', 'apply'])).min(1),
  projects: z.array(text).min(1).default(['*']),
});
export type OidcSettings = z.infer<typeof oidcSchema>;

const githubSchema = z.strictObject({
  repository: z
    .string()
    .regex(/^[\w.-]+\/[\w.-]+$/)
    .optional(),
  token: z.string().regex(/^(env|file):.+/),
  api: z.url({ protocol: /^https?$/ }).default('https://api.github.com'),
  environment: z
    .string()
    .regex(/^[^\s\p{C}](?:[^\p{C}]{0,98}[^\s\p{C}])?$/u)
    .optional(),
});
export type GitHubSettings = z.infer<typeof githubSchema>;

const projectSchema = z.strictObject({
  repo: text,
  branch: text.optional(),
  /** '' is the root, as for the Action. */
  path: z.string().optional(),
  poll: z
    .string()
    .regex(/^[1-9]\d*[smh]$/)
    .optional(),
  secrets: secrets.optional(),
  webhook_secret: z
    .string()
    .regex(/^(env|file):.+/)
    .optional(),
  git_token: z
    .string()
    .regex(/^(env|file):.+/)
    .optional(),
  local: z.boolean().optional(),
  apply: z.enum(['auto', 'gated']).optional(),
  github: githubSchema.optional(),
});
export type ProjectSettings = z.infer<typeof projectSchema>;

const settingsSchema = z.strictObject({
  projects: z.record(z.string().regex(/^[a-z][a-z0-9-]{0,40}$/), projectSchema).optional(),
  listen: text.optional(),
  data_dir: text.optional(),
  database_url: text.optional(),
  proxies: z.int().min(1).max(64).optional(),
  page: z.enum(['open', 'token']).optional(),
  apply: z.enum(['auto', 'gated']).optional(),
  allow_root: z.boolean().optional(),
  local: z
    .strictObject({
      slots: z.int().min(1).max(10_000).optional(),
      price: z.number().min(0).max(1_000_000).optional(),
    })
    .optional(),
  oidc: z.array(oidcSchema).optional(),
  tokens: z
    .array(
      z.strictObject({
        name: text,
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
        scopes: z.array(z.enum(SCOPES)).min(1),
        projects: z.array(text).min(1).default(['*']),
      }),
    )
    .optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

/** Finds where a member of the file stands, for problems found later. */
export type Locate = (path: readonly PropertyKey[]) => { readonly line: number; readonly column: number };

export type SettingsFile =
  | { readonly kind: 'settings'; readonly settings: Settings; readonly locate: Locate }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

export function readSettings(file: string, source: string): SettingsFile {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const locate: Locate = (path) => positionOf(document, lines, path);
  const at = (path: readonly PropertyKey[], message: string, fix: string): Problem => ({
    file,
    ...locate(path),
    path: path.join('.'),
    message,
    fix,
    severity: 'error',
  });
  if (document.errors.length > 0) {
    return { kind: 'problems', problems: document.errors.map((error) => notYaml(file, lines, error)) };
  }
  const parsed = settingsSchema.safeParse(document.toJS() ?? {});
  if (parsed.success) return { kind: 'settings', settings: parsed.data, locate };
  const problems = parsed.error.issues.flatMap((issue) => wordIssue(issue, at));
  return { kind: 'problems', problems: problems.sort((a, b) => a.line - b.line || a.column - b.column) };
}

// Private

type At = (path: readonly PropertyKey[], message: string, fix: string) => Problem;

function wordIssue(issue: z.core.$ZodIssue, at: At): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      at([...issue.path, key], `unknown key \`${key}\``, suggest([...issue.path, key])),
    );
  }
  const name = issue.path.join('.') || 'the file';
  return [at(issue.path, `${name}: ${wordOf(issue)}`, fixOf(issue.path))];
}

function fixOf(path: readonly PropertyKey[]): string {
  const fixes = { ...FIXES, ...fixesOf(path) };
  const key = path.findLast((part) => typeof part === 'string' && part in fixes);
  return fixes[String(key)] ?? 'Correct the value.';
}

/** Of the section that the path leads into; null: it leads into none. */
function fixesOf(path: readonly PropertyKey[]): Readonly<Record<string, string>> | null {
  if (path[0] === 'oidc' && path.length > 1) return OIDC_FIXES;
  return path[2] === 'github' && path.length > 3 ? GITHUB_FIXES : null;
}

function wordOf(issue: z.core.$ZodIssue): string {
  if (
    issue.code === 'invalid_type' &&
    issue.input === undefined &&
    !/received (?!undefined)/.test(issue.message)
  ) {
    return 'is missing';
  }
  return 'is not a valid value';
}

function suggest(path: readonly PropertyKey[]): string {
  const keys = Object.keys(fixesOf(path) ?? FIXES);
  const known = closest(String(path.at(-1)), keys);
  return known ? `Did you mean \`${known}\`?` : `Remove it. Known keys: ${keys.join(', ')}.`;
}

/** Key -> what to write. */
const FIXES: { readonly [key: string]: string } = {
  projects: 'Write a map of projects; a name is lower case letters, digits and hyphens, for example `main:`.',
  repo: 'Write an https, ssh or file URL, or a folder.',
  branch: 'Write the name of a branch.',
  path: 'Write a folder inside the repository, for example `services`.',
  poll: 'Write a number with s, m or h, for example `30s`.',
  secrets: 'Write `NAME: env:VARIABLE` or `NAME: file:PATH` for each secret, or `secrets: dir:FOLDER`.',
  webhook_secret: 'Write `env:VARIABLE` or `file:PATH`.',
  git_token: 'Write `env:VARIABLE` or `file:PATH`.',
  listen: 'Write HOST:PORT, for example `127.0.0.1:3000`.',
  data_dir: 'Write a folder.',
  database_url: 'Write a postgres:// URL, or leave it to the variable DATABASE_URL.',
  proxies: 'Write a number of proxy processes from 1 to 64.',
  page: 'Write `open` or `token`.',
  apply: 'Write `auto` (a commit is applied as soon as it is read) or `gated` (it waits for its approval).',
  github: 'Write `{token: env:VARIABLE}`, with `repository: OWNER/NAME` where needed; see docs/apply.md.',
  allow_root: 'Write `true` or `false`.',
  local: 'Write `local: true` or `false` in a project, `local: {slots: 32, price: 0}` for the server.',
  slots: 'Write how many replicas this machine may run, from 1 to 10000.',
  price: 'Write what a replica on this machine is reckoned at, in USD per hour, for example `0.25`.',
  oidc: 'Write a list of `{audience: …, repository: OWNER/NAME, scopes: [plan]}`; see docs/apply.md.',
  tokens: 'Write a list of entries; `trueup token new` prints one.',
  name: 'Write a name for the token.',
  sha256: 'Write 64 hex digits; `trueup token new` prints an entry.',
  scopes: `Write a list of ${SCOPES.join(', ')}.`,
};

/** The same for members of `oidc`. */
const OIDC_FIXES: { readonly [key: string]: string } = {
  issuer: 'Write the URL of the issuer, as its tokens name it; without it, it is GitHub Actions.',
  audience: 'Write what the workflow asks its token for, for example the URL of this server.',
  repository: 'Write OWNER/NAME.',
  ref: 'Write one or more refs, for example `refs/heads/main` or `refs/heads/release/*`.',
  event: 'Write one or more events, for example `push` or `[push, pull_request]`.',
  environment: 'Write one or more names of environments, for example `production`.',
  job_workflow_ref:
    'Write one or more workflows, for example `me/services/.github/workflows/apply.yml@refs/heads/main`.',
  scopes: 'Write a list of read, plan, apply.',
  projects: "Write a list of projects, or `['*']`.",
};

/** The same for members of `github`. */
const GITHUB_FIXES: { readonly [key: string]: string } = {
  repository: 'Write OWNER/NAME.',
  token: 'Write `env:VARIABLE` or `file:PATH`.',
  api: 'Write the URL of its API, `https://HOST/api/v3`; without it, it is github.com.',
  environment: 'Write the name of an environment, at most 100 characters, for example `production`.',
};

function notYaml(
  file: string,
  lines: LineCounter,
  error: { pos: [number, number]; message: string },
): Problem {
  const { line, col } = lines.linePos(error.pos[0]);
  const message = `not valid YAML: ${error.message}`;
  return {
    file,
    line,
    column: col,
    path: '',
    message,
    fix: 'Correct the YAML at this line.',
    severity: 'error',
  };
}

/** The place of the nearest member that exists: of a missing key, its parent's. */
function positionOf(
  document: ReturnType<typeof parseDocument>,
  lines: LineCounter,
  path: readonly PropertyKey[],
) {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) {
      const { line, col } = lines.linePos(node.range[0]);
      return { line, column: col };
    }
  }
  return { line: 1, column: 1 };
}
