// Real files of other people, with the verdict and the normal form of the reference.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseFile } from '../../reconciler/source/parse.ts';
import { canonical, type JsonObject } from '../../schemas/json.ts';

const CORPUS = new URL('../../../shared/configs/', import.meta.url);
const isHere = existsSync(new URL('verdicts.jsonl', CORPUS));

interface Verdict {
  readonly file: string;
  readonly type?: string;
  readonly final_ok: boolean;
  readonly configuration?: JsonObject;
}

/** Files that we judge otherwise on purpose, each with the reason. */
const DELIBERATE: { readonly [file: string]: string } = {};

describe.skipIf(!isHere)('the corpus of real files (skipped where ../shared/configs is not there)', () => {
  const verdicts: readonly Verdict[] = isHere
    ? readFileSync(new URL('verdicts.jsonl', CORPUS), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : [];
  const judged = verdicts.filter(({ file }) => !Object.hasOwn(DELIBERATE, file));

  test.each(judged)('$file is judged and read as the reference does', (verdict) => {
    const text = readFileSync(new URL(verdict.file, CORPUS), 'utf8');
    const parsed = parseFile({ path: verdict.file, text }, { root: null, profiles: null });
    expect(parsed.problems.filter(({ severity }) => severity === 'error').length === 0).toBe(
      verdict.final_ok,
    );
    if (verdict.type !== undefined) expect(parsed.type).toBe(verdict.type);
    if (verdict.final_ok) expect(canonical(parsed.configuration)).toBe(canonical(verdict.configuration));
  });

  test('every accepted service has a spec, a sparse form and at least one group', () => {
    for (const { file, final_ok, type } of verdicts) {
      if (!final_ok || type !== 'service') continue;
      const text = readFileSync(new URL(file, CORPUS), 'utf8');
      const { spec, sparse } = parseFile({ path: file, text }, { root: null, profiles: null });
      expect(sparse, file).not.toBeNull();
      expect(spec?.groups.length, file).toBeGreaterThan(0);
    }
  });
});
