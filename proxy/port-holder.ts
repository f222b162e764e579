// Who holds a TCP port, as far as /proc tells: for the message to somebody who cannot have it.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** 'pid 4711 (nginx: master)', or 'another process' when it cannot be seen. */
export function portHolder(port: number): string {
  const inodes = listeningInodes(port);
  for (const pid of inodes.size === 0 ? [] : processes()) {
    if (holdsSocket(pid, inodes)) return `pid ${pid} (${programOf(pid)})`;
  }
  return 'another process';
}

// Private

const LISTEN = '0A';

function listeningInodes(port: number): Set<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inodes = new Set<string>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of textOf(file).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(suffix) && fields[3] === LISTEN && fields[9]) inodes.add(fields[9]);
    }
  }
  return inodes;
}

function processes(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    });
  } catch {
    return false;
  }
}

/** Program and script, not the whole command line: arguments may hold secrets. */
function programOf(pid: string): string {
  const words = textOf(`/proc/${pid}/cmdline`).split('\0');
  return (
    words
      .slice(0, words[1]?.startsWith('-') ? 1 : 2)
      .join(' ')
      .trim() || textOf(`/proc/${pid}/comm`).trim()
  );
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
