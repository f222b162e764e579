// The projects of a server: which repository each watches, with which secrets, and whether it may run things here.
import { existsSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProjectConfig, Repository, Source } from './config.ts';
import type { ProjectSettings } from './config-file.ts';
import { githubOf } from './config-github.ts';
import {
  parseReference,
  type Reference,
  readReference,
  secretsByName,
  secretsInFolder,
} from './reference.ts';
import type { SecretSource } from './secrets.ts';

/** Of the file, or of the options; without either, the clone this program lies in. */
export function projectsOf(source: Source): ProjectConfig[] {
  const { options, settings } = source;
  const inFile = Object.entries(settings.projects ?? {});
  const byOption = options.repo !== undefined || inFile.length === 0;
  if (byOption && inFile.length > 0) {
    source.problem(['projects'], 'the config file has projects and --repo is given', 'Use one of the two.');
  }
  if (!byOption)
    return inFile.map(([name, project]) =>
      projectOf(source, name, project, ['projects', name], source.folder),
    );
  const project = optionProject(source);
  return project ? [projectOf(source, options.project ?? 'main', project, [], source.cwd)] : [];
}

// Private

const POLL_MS = 30_000;

/** Without `--repo`, the clone this program lies in, so that the first try needs no option at all. */
function optionProject({ options, problem }: Source): ProjectSettings | null {
  const given = {
    ...(options.branch === undefined ? {} : { branch: options.branch }),
    ...(options.path === undefined ? {} : { path: options.path }),
    ...(options.backend?.includes('local') ? { local: true } : {}),
  };
  if (options.repo !== undefined) return { repo: options.repo, ...given };
  const clone = dirname(dirname(fileURLToPath(import.meta.url)));
  if (existsSync(join(clone, '.git'))) return { repo: clone, path: 'examples', ...given };
  problem(
    [],
    'no repository to watch',
    'Give one: trueup serve --repo URL, or `projects` in a --config file.',
  );
  return null;
}

function projectOf(
  source: Source,
  name: string,
  settings: ProjectSettings,
  at: readonly string[],
  folder: string,
): ProjectConfig {
  const repo = repositoryOf(source, settings.repo, [...at, 'repo'], folder);
  const local = settings.local ?? repo.kind === 'local';
  checkRoot(source, name, local && repo.kind === 'remote', at);
  const githubToken = secretValue(source, settings.github?.token, [...at, 'github', 'token']);
  return {
    name,
    repo,
    branch: settings.branch ?? null,
    path: folderInside(source, settings.path ?? '.', [...at, 'path']),
    pollMs: settings.poll ? pollMs(settings.poll) : POLL_MS,
    secrets: secretsOf(source, settings.secrets),
    webhookSecret: secretValue(source, settings.webhook_secret, [...at, 'webhook_secret']),
    gitToken: secretValue(source, settings.git_token, [...at, 'git_token']),
    local,
    apply: source.options.apply ?? settings.apply ?? source.settings.apply ?? 'auto',
    github: githubOf(source, settings.github, { name, repo, token: githubToken }, [...at, 'github']),
  };
}

function repositoryOf(source: Source, repo: string, at: readonly string[], folder: string): Repository {
  // Plain http is for servers on this machine only: beyond it, anybody could change what is run.
  if (/^(https|ssh):\/\/|^http:\/\/(localhost|127(\.\d+){3}|\[::1\])[:/]/.test(repo))
    return remoteRepository(source, repo, at);
  if (/^[\w.-]+@[\w.-]+:(?!\/\/)/.test(repo)) return { kind: 'remote', url: repo };
  if (/^[a-z+]+:\/\//.test(repo) && !repo.startsWith('file://')) {
    source.problem(
      at,
      `${repo.split('://')[0]}:// is not spoken`,
      'Use an https, ssh or file URL, or a folder.',
    );
    return { kind: 'remote', url: repo };
  }
  const path = repo.startsWith('file://') ? fileURLToPath(repo) : resolve(folder, repo);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    source.problem(at, `there is no folder ${path}`, 'Give the folder of a git repository, or its URL.');
  }
  return { kind: 'local', path };
}

function remoteRepository(source: Source, url: string, at: readonly string[]): Repository {
  const parsed = URL.parse(url);
  if (!parsed?.hostname) source.problem(at, 'the repository URL is not a URL', 'Write https://HOST/PATH.');
  // Only a password or an https user is a credential: `git@` is how ssh URLs are written.
  if (parsed?.password || (parsed?.username && parsed.protocol === 'https:')) {
    const fix = 'Take it out of the URL and set `git_token: env:NAME` in the config file.';
    source.problem(at, 'the repository URL holds a credential', fix);
  }
  return { kind: 'remote', url };
}

/** Commands of a remote repository are somebody else's: they do not run as root unless that is asked for. */
function checkRoot(source: Source, name: string, foreign: boolean, at: readonly string[]): void {
  const allowed = source.options.allowRoot ?? source.settings.allow_root ?? false;
  if (!foreign || allowed || process.getuid?.() !== 0) return;
  const message = `project ${name} would run commands of a remote repository as root on this machine`;
  source.problem([...at, 'local'], message, 'Start trueup as another user, or add --allow-root.');
}

function folderInside(source: Source, path: string, at: readonly string[]): string {
  const normal = posix.normalize(path).replace(/(?<=.)\/$/, '');
  if (!isAbsolute(normal) && normal !== '..' && !normal.startsWith('../')) return normal;
  source.problem(
    at,
    `\`${path}\` is outside the repository`,
    'Write a folder inside it, for example `services`.',
  );
  return '.';
}

function pollMs(text: string): number {
  const unit = { s: 1000, m: 60_000, h: 3_600_000 }[text.at(-1) as 's' | 'm' | 'h'];
  return Number(text.slice(0, -1)) * unit;
}

function secretsOf(source: Source, secrets: ProjectSettings['secrets']): SecretSource {
  const absolute = (path: string) => resolve(source.folder, path);
  if (typeof secrets === 'string') return secretsInFolder(absolute(secrets.slice('dir:'.length)));
  const byName = new Map<string, Reference>();
  for (const [name, text] of Object.entries(secrets ?? {})) {
    const reference = parseReference(text, absolute);
    if (reference) byName.set(name, reference);
  }
  return secretsByName(byName, source.env);
}

function secretValue(source: Source, text: string | undefined, at: readonly string[]): string | null {
  const reference = text === undefined ? null : parseReference(text, (path) => resolve(source.folder, path));
  if (!reference) return null;
  const value = readReference(reference, source.env);
  if (value) return value;
  const name = reference.kind === 'env' ? `the variable ${reference.name}` : `the file ${reference.path}`;
  source.problem(at, `${name} is missing or empty`, 'Set it before the daemon starts.');
  return null;
}
