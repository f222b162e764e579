import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRedactor } from '../../../backends/host/redact.ts';

function redacted(secrets: readonly string[], pieces: readonly string[]): string {
  const { push, flush } = createRedactor(secrets);
  return pieces.map(push).join('') + flush();
}

test('a secret becomes three stars, wherever it stands', () => {
  expect(redacted(['pass.word'], ['pass.word, xpass.wordx, password'])).toBe('***, x***x, password');
});

test('of two secrets that begin alike the longer one is hidden whole', () => {
  expect(redacted(['abc', 'abcdef'], ['abc', 'def abc', 'x'])).toBe('*** ***x');
});

test('a longer line of a secret with several is hidden by itself', () => {
  expect(redacted(['-----BEGIN-----\nMIIEvQIBADAN\n}'], ['key: MIIEvQIBADAN }'])).toBe('key: *** }');
});

test('text that cannot be the beginning of a secret is shown at once', () => {
  const { push } = createRedactor(['secret']);
  expect(push('a line\nand se')).toBe('a line\nand ');
  expect(push('t\n')).toBe('set\n');
});

test('however a text is cut, the same is shown, and no secret is in it', () => {
  const letters = fc
    .array(fc.constantFrom('a', 'b', '\n', 'é'), { maxLength: 60 })
    .map((each) => each.join(''));
  const secret = fc
    .array(fc.constantFrom('a', 'b', '\n', 'é'), { minLength: 2, maxLength: 6 })
    .map((each) => each.join(''));
  fc.assert(
    fc.property(
      fc.array(secret, { maxLength: 3 }),
      fc.array(letters, { maxLength: 6 }),
      (secrets, pieces) => {
        const shown = redacted(secrets, pieces);
        expect(shown).toBe(redacted(secrets, [pieces.join('')]));
        for (const each of secrets) expect(shown).not.toContain(each);
      },
    ),
  );
});
