// Addresses inside of private networks, alone and as networks (`10.0.0.0/24`).

/** An address that only has a meaning inside of a network. */
export function isPrivateAddress(text: string): boolean {
  const bytes = ipv4Bytes(text);
  return bytes === null ? isPrivateIpv6(text) : isPrivateIpv4(bytes);
}

/** A private address with the number of bits that are the network's. */
export function isPrivateNetwork(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  if (rest.length > 0 || (text.includes('/') && !/^\d{1,3}$/.test(bits))) return false;
  const longest = address.includes(':') ? 128 : 32;
  return isPrivateAddress(address) && Number(bits || longest) <= longest;
}

// Private

/** RFC 1918, loopback (RFC 1122), link-local (RFC 3927). */
const PRIVATE: readonly (readonly [first: number, from: number, to: number])[] = [
  [10, 0, 255],
  [127, 0, 255],
  [169, 254, 254],
  [172, 16, 31],
  [192, 168, 168],
];

function isPrivateIpv4([first = -1, second = -1]: readonly number[]): boolean {
  return PRIVATE.some(([head, from, to]) => head === first && second >= from && second <= to);
}

/** Without leading zeros, which some read as octal. */
function ipv4Bytes(text: string): readonly number[] | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) return null;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : null;
}

/** fc00::/7 (RFC 4193), fe80::/10 (RFC 4291), ::1 */
function isPrivateIpv6(text: string): boolean {
  if (text === '::1') return true;
  return /^(?:f[cd][\da-f]{2}|fe[89ab][\da-f]):(?:[\da-f]{0,4}:){0,6}[\da-f]{0,4}$/i.test(text);
}
