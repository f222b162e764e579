// The server's configuration: options, environment and config file made into one value, or every problem with them.
// Matters of the server only; what runs is declared in git.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Problem } from '../schemas/errors.ts';
import { type Locate, readSettings, type Settings } from './config-file.ts';
import { oidcRulesOf } from './config-oidc.ts';
import { projectsOf } from './config-projects.ts';
import type { OidcRule } from './oidc-rules.ts';
import { parseReference, readReference } from './reference.ts';
import type { SecretSource } from './secrets.ts';
import type { TokenEntry } from './tokens.ts';

export type Repository =
  | { readonly kind: 'local'; readonly path: string }
  | { readonly kind: 'remote'; readonly url: string };

export interface ProjectConfig {
  readonly name: string;
  readonly repo: Repository;
  /** null: the repository's HEAD at start. */
  readonly branch: string | null;
  /** The watched folder inside the repository, '/'-separated; '.' is its root. */
  readonly path: string;
  readonly pollMs: number;
  readonly secrets: SecretSource;
  readonly webhookSecret: string | null;
  /** For https; never part of a URL. */
  readonly gitToken: string | null;
  /** Whether replicas may run as processes of this machine. */
  readonly local: boolean;
  readonly apply: ApplyMode;
  /** null: its commits get no statuses from here. */
  readonly github: GitHubConfig | null;
}

/** Where commits get statuses and deployments. */
export interface GitHubConfig {
  readonly owner: string;
  readonly name: string;
  readonly token: string;
  /** As the config file names it, for messages. */
  readonly tokenFrom: string;
  /** Without a slash at its end. */
  readonly api: string;
  readonly environment: string;
}

/** auto: a commit is applied as soon as it is read. gated: it waits until somebody approves it by a plan. */
export type ApplyMode = 'auto' | 'gated';

export interface ServerConfig {
  readonly projects: readonly ProjectConfig[];
  readonly listen: { readonly host: string; readonly port: number };
  /** Absolute. */
  readonly dataDir: string;
  /** null: a database of our own in the data dir. */
  readonly databaseUrl: string | null;
  /** Replicas this machine may run, and what each is reckoned at (USD per hour). */
  readonly local: { readonly slots: number; readonly price: number };
  readonly proxies: number;
  /** Beside the daemon's own. */
  readonly tokens: readonly TokenEntry[];
  /** Who sees the page and the metrics: everybody who reaches the address, or holders of a read token. */
  readonly page: 'open' | 'token';
  /** Who else may log in, by the token of an issuer. */
  readonly oidc: readonly OidcRule[];
  /** End what is left of a data dir, then exit. */
  readonly stop: boolean;
  /** Ctrl-C leaves proxies and replicas running. */
  readonly detachOnExit: boolean;
}

/** `trueup serve`'s options. */
export interface ServeOptions {
  readonly repo?: string;
  readonly branch?: string;
  readonly path?: string;
  readonly config?: string;
  readonly dataDir?: string;
  readonly listen?: string;
  readonly project?: string;
  readonly backend?: readonly string[];
  readonly allowRoot?: boolean;
  readonly apply?: ApplyMode;
  readonly stop?: boolean;
  readonly detachOnExit?: boolean;
}

type Env = { readonly [name: string]: string | undefined };

export type ConfigResult =
  | { readonly kind: 'config'; readonly config: ServerConfig }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/** Options win over the environment, the environment over the file. Relative paths of the file start at its folder. */
export function resolveConfig(options: ServeOptions, env: Env, cwd: string): ConfigResult {
  const file = openFile(options, cwd);
  if (file.kind === 'problems') return file;
  const problems: Problem[] = [];
  const source: Source = {
    ...file,
    options,
    env,
    cwd,
    problem: (path, message, fix) => {
      // What the file does not say came from an option or the environment: no line of it is at fault.
      const isInFile = String(path[0]) in file.settings;
      const where = isInFile ? { file: file.name, ...file.locate(path) } : { file: '', line: 0, column: 0 };
      problems.push({ ...where, path: path.join('.'), message, fix, severity: 'error' });
    },
  };
  const config = build(source);
  return problems.length > 0 ? { kind: 'problems', problems } : { kind: 'config', config };
}

/** Where a setting may come from, and where to complain about it. */
export interface Source {
  readonly name: string;
  readonly settings: Settings;
  /** What relative paths of the file start at. */
  readonly folder: string;
  readonly options: ServeOptions;
  readonly env: Env;
  readonly cwd: string;
  readonly problem: (path: readonly PropertyKey[], message: string, fix: string) => void;
}

// Private

const DEFAULTS = { listen: '127.0.0.1:3000', dataDir: '.trueup', slots: 32, proxies: 2 };

function build(source: Source): ServerConfig {
  const { settings, options } = source;
  const listen = listenOf(source);
  return {
    projects: options.stop ? [] : projectsOf(source),
    listen,
    dataDir: dataDirOf(source),
    databaseUrl: databaseUrlOf(source),
    local: { slots: settings.local?.slots ?? DEFAULTS.slots, price: settings.local?.price ?? 0 },
    proxies: settings.proxies ?? DEFAULTS.proxies,
    tokens: settings.tokens ?? [],
    page: settings.page ?? (isLoopback(listen.host) ? 'open' : 'token'),
    oidc: oidcRulesOf(source),
    stop: options.stop ?? false,
    detachOnExit: options.detachOnExit ?? false,
  };
}

type OpenFile =
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly settings: Settings;
      readonly folder: string;
      readonly locate: Locate;
    }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

function openFile({ config }: ServeOptions, cwd: string): OpenFile {
  const start = { line: 0, column: 0 };
  if (config === undefined) return { kind: 'file', name: '', settings: {}, folder: cwd, locate: () => start };
  const path = resolve(cwd, config);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const message = `cannot read the config file: ${(error as NodeJS.ErrnoException).code}`;
    const fix = 'Check the path given to --config.';
    return {
      kind: 'problems',
      problems: [{ file: config, ...start, path: '', message, fix, severity: 'error' }],
    };
  }
  const read = readSettings(config, text);
  if (read.kind === 'problems') return read;
  return { kind: 'file', name: config, settings: read.settings, folder: dirname(path), locate: read.locate };
}

function dataDirOf({ options, settings, cwd, folder }: Source): string {
  if (options.dataDir !== undefined) return resolve(cwd, options.dataDir);
  if (settings.data_dir !== undefined) return resolve(folder, settings.data_dir);
  return resolve(cwd, DEFAULTS.dataDir);
}

function listenOf(source: Source): ServerConfig['listen'] {
  const text = source.options.listen ?? source.settings.listen ?? DEFAULTS.listen;
  const [, host, port] = /^(\[[^\]]+\]|[^:[\]\s]+):(\d{1,5})$/.exec(text) ?? [];
  if (host && Number(port) <= 65_535) return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  const where = source.options.listen === undefined ? ['listen'] : [];
  source.problem(
    where,
    `cannot listen on \`${text}\``,
    'Write HOST:PORT, for example 127.0.0.1:3000 or [::1]:3000.',
  );
  return { host: '127.0.0.1', port: 0 };
}

function databaseUrlOf(source: Source): string | null {
  const text = source.env.DATABASE_URL || source.settings.database_url;
  if (text === undefined) return null;
  const reference = parseReference(text, (path) => resolve(source.folder, path));
  const url = reference ? readReference(reference, source.env) : text;
  if (url && /^postgres(ql)?:\/\//.test(url)) return url;
  // The value may hold a password: it is never repeated.
  const name = source.env.DATABASE_URL ? 'DATABASE_URL' : 'database_url';
  source.problem(
    ['database_url'],
    `${name} is not a Postgres URL`,
    'Write postgres://USER:PASSWORD@HOST:PORT/DATABASE.',
  );
  return null;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}
