// What docs/simulate.md says of the format is what the schema reads, and its scenarios are those that are there.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SIMULATE_HELP } from '../../reconciler/cli/simulate-help.ts';
import { FAULTS } from '../../reconciler/simulate/scenario/faults.ts';
import { scenarioManual } from '../../reconciler/simulate/scenario/manual.ts';
import { readScenario } from '../../reconciler/simulate/scenario/read.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const path = join(DOCS, 'simulate.md');
const text = readFileSync(path, 'utf8');

test('every field is in the manual', async () => {
  const mark = /^<!-- fields: .* -->$/m.exec(text);
  const head = text.slice(0, (mark?.index ?? 0) + (mark?.[0].length ?? 0));
  await expect(`${head}\n\n${scenarioManual()}\n`).toMatchFileSnapshot(path);
});

test('every kind of fault is spoken of', () => {
  const table = text.slice(text.indexOf('**Faults**'), text.indexOf('## What must hold'));
  expect(Object.keys(FAULTS).filter((kind) => !table.includes(`\`${kind}\``))).toEqual([]);
});

test('every scenario beside it is linked, and the other way round', () => {
  const linked = [...text.matchAll(/\(simulate\/([\w-]+\.yml)\)/g)].map(([, name]) => name);
  expect(linked.toSorted()).toEqual(readdirSync(join(DOCS, 'simulate')).toSorted());
});

test.each([
  ['the manual', /## A scenario[\s\S]*?```yaml\n([\s\S]*?)```/.exec(text)?.[1] ?? ''],
  [
    '--help',
    [...SIMULATE_HELP.matchAll(/^ {2}(.*)$/gm)]
      .slice(0, -1)
      .map(([, line]) => line)
      .join('\n'),
  ],
])('the example of %s can be read, but for the folder that it names', (_, example) => {
  const read = readScenario('/nowhere/example.yml', 'example.yml', example);
  const problems = read.kind === 'problems' ? read.problems : [];
  expect(problems.map(({ message }) => message)).toEqual(['there is no folder `./v2`']);
});
