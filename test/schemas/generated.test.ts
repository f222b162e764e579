// What is generated from the schemas is committed, and is what they would generate now: `npm run docs` writes it anew.
import { expect, test } from 'vitest';
import { editorSchema, policyEditorSchema } from '../../schemas/editor.ts';
import { readable } from '../../schemas/json.ts';
import { manual, policyManual } from '../../schemas/manual.ts';

/** As the formatter would have it. */
const WIDTH = 110;

test("the editor's schema is up to date", async () => {
  const text = `${readable(editorSchema(), WIDTH)}\n`;
  await expect(text).toMatchFileSnapshot('../../schemas/dstack.schema.json');
});

test('the manual is up to date', async () => {
  await expect(manual()).toMatchFileSnapshot('../../docs/configuration.md');
});

test("the editor's schema of the policy is up to date", async () => {
  const text = `${readable(policyEditorSchema(), WIDTH)}\n`;
  await expect(text).toMatchFileSnapshot('../../schemas/trueup.schema.json');
});

test('the manual of the policy is up to date', async () => {
  await expect(policyManual()).toMatchFileSnapshot('../../docs/policy.md');
});
