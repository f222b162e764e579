import { expect, test } from 'vitest';
import { isPrivateAddress, isPrivateNetwork } from '../../../schemas/grammar/addresses.ts';

test.each([
  '10.0.0.5',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '127.0.0.1',
  '169.254.1.1',
  'fd00::1',
  'fe80::1',
  '::1',
  'fe80::1%eth0',
  '::ffff:10.0.0.1',
  '198.18.0.1',
  '2001:db8::1',
])('%s is private', (address) => {
  expect(isPrivateAddress(address)).toBe(true);
});

test.each([
  '8.8.8.8',
  '172.32.0.1',
  '192.169.0.1',
  '10.0.0',
  '10.0.0.256',
  '10.0.0.05',
  '10.foo',
  '',
  '2001:4860:4860::8888',
  '::ffff:8.8.8.8',
  '100.64.0.1',
])('%j is not', (address) => {
  expect(isPrivateAddress(address)).toBe(false);
});

test.each([
  ['10.0.0.0/24', true],
  ['192.168.0.0/16', true],
  ['10.0.0.1', true],
  ['fd00::/8', true],
  ['10.0.0.0/255.255.255.0', true],
  ['192.168.0.0/0.0.255.255', true],
  ['10.0.0.0/33', false],
  ['10.0.0.0/', false],
  ['10.0.0.0/24/1', false],
  ['8.8.8.0/24', false],
  ['10.0.0.0/7', false],
  ['172.16.0.0/11', false],
  ['10.0.0.0/255.0.255.0', false],
])('the network %s: %s', (network, expected) => {
  expect(isPrivateNetwork(network)).toBe(expected);
});
