import { expect, test } from 'vitest';
import { choosePort } from '../../../backends/local/ports.ts';

test('a slot keeps to its port while that is free', () => {
  expect(choosePort('/a/web-1', new Set())).toBe(choosePort('/a/web-1', new Set()));
});

test('equal replicas of two data directories get different ports', () => {
  expect(choosePort('/a/web-1', new Set())).not.toBe(choosePort('/b/web-1', new Set()));
});

test('a port in use is left out', () => {
  const first = choosePort('/a/web-1', new Set());
  expect(choosePort('/a/web-1', new Set([first]))).not.toBe(first);
});

test('no free port is a lack of capacity', () => {
  const all = new Set(Array.from({ length: 65_536 }, (_, port) => port));
  expect(() => choosePort('/a/web-1', all)).toThrow(expect.objectContaining({ kind: 'no-capacity' }));
});
