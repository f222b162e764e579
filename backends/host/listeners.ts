// Which TCP sockets of this machine listen, and whose they are: /proc/net/tcp, tcp6 and /proc/<pid>/fd.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Listener {
  readonly inode: string;
  readonly port: number;
  /** Where to dial it from this machine. */
  readonly host: string;
}

export interface SocketTable {
  readonly listeners: readonly Listener[];
  /** Local ports in any use, also of connections that are ending. */
  readonly ports: ReadonlySet<number>;
}

export function readSockets(): SocketTable {
  return parseSockets([...linesOf('/proc/net/tcp'), ...linesOf('/proc/net/tcp6')]);
}

/** `lines`: rows of /proc/net/tcp and tcp6 without their heads (proc_net(5)). */
export function parseSockets(lines: readonly string[]): SocketTable {
  const listeners: Listener[] = [];
  const ports = new Set<number>();
  for (const line of lines) {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    const [address = '', port = ''] = local.split(':');
    ports.add(Number.parseInt(port, 16));
    if (state === LISTEN) listeners.push({ inode, port: Number.parseInt(port, 16), host: dialled(address) });
  }
  return { listeners, ports };
}

/** The inodes of all sockets that these processes hold open. */
export function socketsOf(pids: readonly number[]): ReadonlySet<string> {
  return new Set(pids.flatMap(socketInodes));
}

// Private

const LISTEN = '0A';

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(1).filter(Boolean);
  } catch {
    return []; // no IPv6 on this machine
  }
}

/** From the kernel's hex, words in the machine's (little-endian) order, to an address; a wildcard is dialled on loopback. */
function dialled(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => [...Buffer.from(word, 'hex')].reverse());
  const isV4 = bytes.length === 4 || /^0{16}(0{8}|FFFF0000)/.test(hex);
  if (bytes.every((byte) => byte === 0)) return '127.0.0.1';
  if (hex === '00000000000000000000000001000000') return '::1';
  if (isV4) return bytes.slice(-4).join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  return groups.join(':');
}

function socketInodes(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => socketInode(`/proc/${pid}/fd/${fd}`) ?? []);
  } catch {
    return []; // the process ended
  }
}

function socketInode(link: string): string | null {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1] ?? null;
  } catch {
    return null; // closed meanwhile
  }
}
