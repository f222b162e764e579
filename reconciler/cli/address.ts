// Where the daemon is and with which token it is asked: the environment, else what a daemon nearby has written.
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CommandFailure } from './failure.ts';

export interface Address {
  readonly url: string;
  readonly token: string;
}

const FILE = 'server.json';
const addressSchema = z.object({ url: z.url(), token: z.string().min(1) });

/** What a daemon leaves in its data dir for commands started near it. Readable by its user only. */
export function writeAddress(dataDir: string, address: Address): void {
  const path = join(dataDir, FILE);
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, `${JSON.stringify(address)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(draft, path);
}

/**
 * A file found on the way never gets to see the token of the environment, unless it names this machine: otherwise a
 * hostile repository could bring a `.trueup` of its own and be sent the token.
 */
export function findAddress(env: NodeJS.ProcessEnv, cwd: string): Address {
  const { TRUEUP_URL: url, TRUEUP_TOKEN: token } = env;
  const file = url && token ? null : nearestFile(cwd);
  if (url) return { url: checked(url), token: token ?? (file?.url === url ? file.token : '') };
  if (!file) {
    throw new CommandFailure(
      'no server is known here',
      'Start one with `trueup serve` in this folder, or set TRUEUP_URL and TRUEUP_TOKEN.',
    );
  }
  return { url: file.url, token: token && isLoopback(file.url) ? token : file.token };
}

// Private

function nearestFile(cwd: string): Address | null {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const found = readAddress(join(folder, '.trueup', FILE));
    if (found || folder === dirname(folder)) return found;
  }
}

function readAddress(path: string): Address | null {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found || found.uid !== process.getuid?.()) return null;
  try {
    return addressSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    throw new CommandFailure(
      `${path} is damaged`,
      'Delete it and restart the daemon, or set TRUEUP_URL and TRUEUP_TOKEN.',
    );
  }
}

function checked(url: string): string {
  if (/^https?:$/.test(URL.parse(url)?.protocol ?? '')) return url;
  throw new CommandFailure(`TRUEUP_URL is not an address: ${url}`, 'Write http://HOST:PORT or https://HOST.');
}

function isLoopback(url: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}
