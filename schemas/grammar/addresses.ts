// Addresses inside of private networks, alone and as networks (`10.0.0.0/24`).
import { BlockList, isIP } from 'node:net';

/** An address that only has a meaning inside of a network. */
export function isPrivateAddress(text: string): boolean {
  return isWithin(text, Number.POSITIVE_INFINITY);
}

/** A private address with the number of bits that are the network's, or with a mask of them. */
export function isPrivateNetwork(text: string): boolean {
  const [address = '', mask, ...rest] = text.split('/');
  if (rest.length > 0 || address.includes('%')) return false;
  const longest = isIP(address) === 6 ? 128 : 32;
  const bits = mask === undefined ? longest : maskBits(mask);
  return bits !== null && bits <= longest && isWithin(address, bits);
}

// Private

/** What is never reached over the internet: RFC 6890, sections 2.2.2 and 2.2.3. */
const PRIVATE: readonly (readonly [address: string, bits: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 29],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['240.0.0.0', 4],
  ['::', 128],
  ['::1', 128],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['fc00::', 7],
  ['fe80::', 10],
];

const NETWORKS = PRIVATE.map(([address, bits]) => {
  const list = new BlockList();
  list.addSubnet(address, bits, familyOf(address));
  return { list, bits };
});

/** Whether a network of `bits` that begins at `address` is all in one of them. */
function isWithin(address: string, bits: number): boolean {
  const plain = address.replace(/%.*/, '');
  if (isIP(plain) === 0) return false;
  return NETWORKS.some((network) => network.bits <= bits && network.list.check(plain, familyOf(plain)));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

/** `24`, or `255.255.255.0`, or `0.0.0.255`. */
function maskBits(mask: string): number | null {
  if (/^\d{1,3}$/.test(mask)) return Number(mask);
  if (isIP(mask) !== 4) return null;
  const bits = mask.split('.').map((byte) => Number(byte).toString(2).padStart(8, '0'));
  const [, ones = '', zeros = ''] =
    /^(1*)(0*)$/.exec(bits.join('')) ?? /^(0*)(1*)$/.exec(bits.join('')) ?? [];
  return ones.length + zeros.length === 32 ? ones.length : null;
}
