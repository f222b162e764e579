// Real repositories for tests: made with the git of this machine, served over http by its own `git http-backend`.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface TestRepo {
  readonly dir: string;
  /** Runs git in the repository; gives what it printed, trimmed. */
  git(...args: string[]): string;
  /** Writes the files (null deletes one) and commits; gives the commit's id. */
  commit(files: { readonly [path: string]: string | Uint8Array | null }, subject?: string): string;
  head(): string;
}

/** A folder under the system's temporary one, and how to remove it. */
export function temporaryFolder(): { readonly dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), 'trueup-git-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Makes a repository with a work tree; without commits until `commit`. */
export function makeRepo(dir: string, options: { readonly branch?: string } = {}): TestRepo {
  mkdirSync(dir, { recursive: true });
  runGit(dir, ['init', '--quiet', `--initial-branch=${options.branch ?? 'main'}`]);
  return openRepo(dir);
}

/** The helpers on a work tree that is already there. */
export function openRepo(dir: string): TestRepo {
  const git = (...args: string[]) => runGit(dir, args);
  return {
    dir,
    git,
    head: () => git('rev-parse', 'HEAD'),
    commit(files, subject = 'change') {
      for (const [path, content] of Object.entries(files)) writeOrRemove(join(dir, path), content);
      git('add', '--all', '.');
      git('commit', '--quiet', '--allow-empty', `--message=${subject}`);
      return git('rev-parse', 'HEAD');
    },
  };
}

/** A bare copy to push to. */
export function makeBare(from: TestRepo, dir: string): string {
  runGit(from.dir, ['clone', '--quiet', '--bare', from.dir, dir]);
  runGit(dir, ['config', 'http.receivepack', 'true']);
  from.git('remote', 'add', 'origin', dir);
  return dir;
}

export function makeExecutable(path: string): void {
  chmodSync(path, 0o755);
}

export function makeLink(path: string, target: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

export interface GitServer {
  /** `http://127.0.0.1:port`; repositories lie below it by their folder's name. */
  readonly url: string;
  /** Bytes sent in bodies since the start. */
  bytesSent(): number;
  /** The passwords it was sent. */
  passwords(): readonly string[];
  /** Answers nothing from now on, or everything again. */
  hang(on: boolean): void;
  close(): Promise<void>;
}

/** Serves every repository below `root` over http on loopback; with `password`, only to who knows it. */
export async function serveGit(
  root: string,
  options: { readonly password?: string; readonly redirectTo?: string } = {},
): Promise<GitServer> {
  let bytes = 0;
  let hanging = false;
  const passwords: string[] = [];
  const server = createServer((request, response) => {
    if (hanging) return;
    const password = passwordOf(request);
    if (password !== undefined) passwords.push(password);
    if (options.redirectTo !== undefined) {
      response.writeHead(301, { location: `${options.redirectTo}${request.url}` }).end();
      return;
    }
    if (options.password !== undefined && password !== options.password) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    answerByCgi(root, request, response, (count) => {
      bytes += count;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bytesSent: () => bytes,
    passwords: () => passwords,
    hang: (on) => {
      hanging = on;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

// Private

/** As it was at the start: a test may put a `git` of its own first. */
const { PATH } = process.env;

function runGit(dir: string, args: readonly string[]): string {
  return execFileSync('git', args, { cwd: dir, encoding: 'utf8', stdio: 'pipe', env: cleanEnv() }).trim();
}

function cleanEnv(): NodeJS.ProcessEnv {
  return {
    PATH,
    HOME: tmpdir(),
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_COUNT: '2',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: '*',
    GIT_CONFIG_KEY_1: 'protocol.file.allow',
    GIT_CONFIG_VALUE_1: 'always',
    GIT_AUTHOR_NAME: 'Ada',
    GIT_AUTHOR_EMAIL: 'ada@example.org',
    GIT_COMMITTER_NAME: 'Ada',
    GIT_COMMITTER_EMAIL: 'ada@example.org',
  };
}

function writeOrRemove(path: string, content: string | Uint8Array | null): void {
  if (content === null) {
    rmSync(path);
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function passwordOf(request: IncomingMessage): string | undefined {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  return basic === undefined ? undefined : Buffer.from(basic, 'base64').toString().split(':')[1];
}

/** One request through `git http-backend`: RFC 3875 in its simplest form. */
function answerByCgi(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  sent: (bytes: number) => void,
): void {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const child = spawn('git', ['http-backend'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {
      ...cleanEnv(),
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method,
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      HTTP_GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
  });
  request.pipe(child.stdin.on('error', () => {}));
  let head = Buffer.alloc(0);
  const body = (chunk: Buffer): void => {
    sent(chunk.length);
    response.write(chunk);
  };
  child.stdout.on('data', (chunk: Buffer) => {
    if (response.headersSent) return body(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return;
    const lines = head.subarray(0, end).toString().split('\r\n');
    const { Status = '200', ...fields } = Object.fromEntries(lines.map((line) => line.split(': ')));
    response.writeHead(Number.parseInt(Status, 10), fields);
    body(head.subarray(end + 4));
  });
  child.on('close', () => response.end());
}
