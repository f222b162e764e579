// Where a repository is: reads what people write after --repo, and refuses every form that could run a program,
// carry a secret into a message, or travel in clear over a network.
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, posix, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from '../../schemas/errors.ts';

export interface Credentials {
  /** `https://host:port`: the only place they are ever sent to. */
  readonly origin: string;
  readonly username: string;
  readonly password: string;
}

export type Location =
  | { readonly kind: 'local'; readonly path: string }
  | {
      readonly kind: 'remote';
      /** Without any password: safe on a command line and in a message. */
      readonly url: string;
      readonly scheme: 'https' | 'http' | 'ssh';
      readonly credentials: Credentials | null;
    };

/**
 * Accepts https, ssh and file URLs, `user@host:path`, and local paths; http only for this machine itself.
 * `token` is the password sent to an https host, in place of one written in the URL. Throws `invalid`.
 */
export function parseLocation(repo: string, token?: string): Location {
  const text = repo.trim();
  if (text === '') throw refused('the repository is empty', 'Give --repo a URL or a path.');
  if (hasControl(text)) throw refused('the repository holds a line break or another control character');
  if (/^[\w+.-]+::/.test(text)) throw refused('a `helper::` prefix runs a program', USE_URL);
  if (/^[\w+.-]+:\/\//.test(text)) return fromUrl(text, token?.trim());
  const scp = /^(?:([^@/:\s]+)@)?(\[[^\]\s]+\]|[^/:\s[\]]+):(.+)$/.exec(text);
  if (scp === null) return { kind: 'local', path: resolve(text) };
  refuseOptions(scp.slice(1));
  return { kind: 'remote', url: text, scheme: 'ssh', credentials: null };
}

/** What people are shown: never a password. */
export function describeLocation(location: Location): string {
  return location.kind === 'local' ? location.path : location.url;
}

/**
 * A path inside the repository in git's spelling: no leading, trailing or double '/', no '.'; '' for the root.
 * Throws `invalid` for one that leaves it.
 */
export function insidePath(path: string): string {
  const normal = posix.normalize(path === '' ? '.' : path).replace(/\/$/, '');
  if (normal === '.') return '';
  const leaves = normal === '' || normal.startsWith('/') || normal === '..' || normal.startsWith('../');
  if (!leaves && !normal.includes('\0')) return normal;
  throw new Failure('invalid', `the path '${path}' leaves the repository`, {
    fix: "Give a path from the repository's root, without a leading '/' or '..'.",
  });
}

export interface LocalRepository {
  /** The folder git is pointed at: the work tree, or the bare repository. */
  readonly root: string;
  /** Holds HEAD; differs from `commonDir` (refs) in a linked work tree. */
  readonly gitDir: string;
  readonly commonDir: string;
  /** Where the given path lies below the work tree, '/'-separated; '' at its root. */
  readonly inside: string;
}

/** Finds the repository a local path lies in, by looking at files only: no git runs in a folder nobody vouched for. */
export function findRepository(path: string): LocalRepository | null {
  try {
    const start = realpathSync(path);
    for (let dir = start; ; dir = dirname(dir)) {
      const gitDir = gitDirOf(dir);
      if (gitDir !== null) {
        return { root: dir, gitDir, commonDir: commonDirOf(gitDir), inside: relative(dir, start) };
      }
      if (dir === dirname(dir)) return null;
    }
  } catch {
    // It is not there, may not be read, or went away while we looked.
    return null;
  }
}

// Private

const USE_URL = 'Use an https, ssh or file URL, user@host:path, or a local path.';

function refused(message: string, fix = USE_URL): Failure {
  return new Failure('invalid', `cannot watch this repository: ${message}`, { fix });
}

function hasControl(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /[\u0000-\u001f\u007f]|%(?:0[0-9a-f]|1[0-9a-f]|7f)/i.test(text);
}

/** A part that begins with '-' would be read as an option by git or ssh. */
function refuseOptions(parts: readonly (string | undefined)[]): void {
  if (parts.some((part) => part?.startsWith('-'))) throw refused("a part of it begins with '-'");
}

function fromUrl(text: string, token: string | undefined): Location {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null) throw refused('it is not a URL');
  if (url.search !== '' || url.hash !== '') throw refused('its URL has a `?` or `#` part');
  refuseOptions([url.hostname, decodeURIComponent(url.username), decodeURIComponent(url.pathname.slice(1))]);
  switch (url.protocol) {
    case 'file:':
      if (url.host !== '') throw refused('a file URL names no host', 'Write file:///path.');
      return { kind: 'local', path: fileURLToPath(url) };
    case 'ssh:':
      if (url.password !== '') throw refused('ssh takes no password from a URL', 'Use a key or an agent.');
      return { kind: 'remote', url: url.href, scheme: 'ssh', credentials: null };
    case 'https:':
      return overHttp(url, 'https', token);
    case 'http:':
      if (!isLoopback(url.hostname)) throw refused('http is not encrypted', 'Use its https URL.');
      return overHttp(url, 'http', token);
    default:
      throw refused(`${url.protocol}// is not supported`);
  }
}

/** Moves a password out of the URL, so that it is in no command line and in no message of git's. */
function overHttp(url: URL, scheme: 'https' | 'http', token: string | undefined): Location {
  // GitHub, GitLab and Gitea take a token as the password of any user.
  const username = decodeURIComponent(url.username) || 'x-access-token';
  const password = token || decodeURIComponent(url.password);
  if (hasControl(password)) throw refused('its token holds a line break', 'Store the token on one line.');
  url.username = '';
  url.password = '';
  const credentials = password === '' ? null : { origin: url.origin, username, password };
  return { kind: 'remote', url: url.href, scheme, credentials };
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

function gitDirOf(dir: string): string | null {
  const dotGit = join(dir, '.git');
  if (isGitDir(dotGit)) return dotGit;
  if (existsSync(dotGit) && statSync(dotGit).isFile()) {
    const pointer = /^gitdir: (.+)$/m.exec(readFileSync(dotGit, 'utf8'))?.[1];
    return pointer === undefined ? null : resolve(dir, pointer);
  }
  return isGitDir(dir) ? dir : null;
}

function isGitDir(dir: string): boolean {
  return existsSync(join(dir, 'HEAD')) && existsSync(join(dir, 'objects'));
}

function commonDirOf(gitDir: string): string {
  const pointer = join(gitDir, 'commondir');
  return existsSync(pointer) ? resolve(gitDir, readFileSync(pointer, 'utf8').trim()) : gitDir;
}
