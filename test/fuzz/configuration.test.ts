// Whatever a file holds, it is read or refused in words, and nothing else happens. `npm run fuzz` tries a hundred
// thousand files; FUZZ_SEED repeats a run.
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseFile } from '../../reconciler/source/parse.ts';
import { editorSchema } from '../../schemas/editor.ts';
import { parsePolicy } from '../../schemas/policy.ts';
import { parseProfiles } from '../../schemas/profiles.ts';
import { asJson } from '../schemas/as-json.ts';
import { texts } from './texts.ts';

const CASES = Number(process.env.FUZZ_CASES ?? 3000);
const SEED = Number(process.env.FUZZ_SEED ?? 20_260_901);
/** For all cases; one that hangs does not end before. */
const PATIENCE = 60_000 + CASES * 20;

const seeded = { numRuns: CASES, seed: SEED };
const innocent = Object.getOwnPropertyNames(Object.prototype).join();

test('every text is read or refused in words', { timeout: PATIENCE }, () => {
  fc.assert(
    fc.property(texts, (text) => {
      const parsed = parseFile({ path: 'team/web.dstack.yml', text }, { root: '', profiles: null });
      const errors = parsed.problems.filter(({ severity }) => severity === 'error');
      if (parsed.ok !== (errors.length === 0)) throw new Error('it is right with errors, or wrong without');
      if (parsed.type === 'service' && parsed.ok !== (parsed.spec !== null))
        throw new Error('there is no spec');
      const lines = text.split(/\r\n|\r|\n/).length;
      for (const { line, column, message, fix } of parsed.problems) {
        if (line < 1 || line > lines || column < 1) throw new Error(`${line}:${column} is not in the file`);
        if (message === '' || fix === '') throw new Error(`nothing is said: ${message}`);
        if (/\n|\[object|undefined|NaN|\bat .*:\d+:\d+/.test(message)) throw new Error(message);
      }
      if (Object.getOwnPropertyNames(Object.prototype).join() !== innocent) throw new Error('polluted');
    }),
    seeded,
  );
});

test('so is every policy and every list of profiles', { timeout: PATIENCE }, () => {
  fc.assert(
    fc.property(texts, (text) => {
      for (const head of ['', 'rollout:\n', 'profiles:\n']) {
        const file = { path: 'trueup.yml', text: head + text };
        for (const { problems } of [parsePolicy(file), parseProfiles(file)]) {
          expect(problems.every(({ message, line }) => message !== '' && line >= 1)).toBe(true);
        }
      }
    }),
    { ...seeded, numRuns: Math.ceil(CASES / 10) },
  );
});

test('the editor never complains of what is right', { timeout: PATIENCE }, () => {
  const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, verbose: true });
  const validate = ajv.compile(editorSchema());
  fc.assert(
    fc.property(texts, (text) => {
      const { ok } = parseFile({ path: 'web.dstack.yml', text }, { root: null, profiles: null });
      if (!ok || validate(asJson(text))) return;
      // `priority: true` is 1 to the parser. No editor should propose it.
      const errors = validate.errors ?? [];
      if (errors.some(({ data }) => typeof data === 'boolean')) return;
      expect(errors.map(({ instancePath, message }) => `${instancePath} ${message}`)).toEqual([]);
    }),
    { ...seeded, numRuns: Math.ceil(CASES / 3) },
  );
});
