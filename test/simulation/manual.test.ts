// What docs/simulate.md says of the format is what the schema reads, what it shows is what comes out, and its scenarios
// are those that are there.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { render } from '../../reconciler/cli/screen.ts';
import { SIMULATE_HELP } from '../../reconciler/cli/simulate-help.ts';
import { FAULTS } from '../../reconciler/simulate/scenario/faults.ts';
import { scenarioManual } from '../../reconciler/simulate/scenario/manual.ts';
import { readScenario } from '../../reconciler/simulate/scenario/read.ts';
import { timelineBlocks } from '../../reconciler/view/timeline.ts';
import { play, scenario, web } from './scenarios.ts';

const ROOT = join(import.meta.dirname, '../..');
const DOCS = join(ROOT, 'docs');
const path = join(DOCS, 'simulate.md');
const text = readFileSync(path, 'utf8');
const BAD_REVISION = readFileSync(join(DOCS, 'simulate/bad-revision.yml'), 'utf8');

/** The first block of the language below a heading. */
function blockBelow(heading: string, language: string): string {
  const below = text.slice(`\n${text}`.indexOf(`\n${heading}\n`));
  return new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(below)?.[1] ?? '';
}

describe('the manual', () => {
  test('has every field', async () => {
    const mark = /^<!-- fields: .* -->$/m.exec(text);
    const head = text.slice(0, (mark?.index ?? 0) + (mark?.[0].length ?? 0));
    await expect(`${head}\n\n${scenarioManual()}\n`).toMatchFileSnapshot(path);
  });

  test('speaks of every kind of fault', () => {
    const table = text.slice(text.indexOf('**Faults**'), text.indexOf('## What must hold'));
    expect(Object.keys(FAULTS).filter((kind) => !table.includes(`\`${kind}\``))).toEqual([]);
  });

  test('links every scenario beside it, and no other', () => {
    const linked = [...text.matchAll(/\(simulate\/([\w-]+\.yml)\)/g)].map(([, name]) => name);
    expect(linked.toSorted()).toEqual(readdirSync(join(DOCS, 'simulate')).toSorted());
  });

  test.each([
    ['event', 'schemas/events.ts', 'EventName'],
    ['event', 'reconciler/simulate/story.ts', 'WorldEvent'],
    ['status', 'schemas/rollout.ts', 'ServiceStatus'],
    ['reason to wait', 'schemas/rollout.ts', 'WaitingReason'],
  ])('names every %s of %s', (_, file, type) => {
    const source = readFileSync(join(ROOT, file), 'utf8');
    const union = new RegExp(`export type ${type} =([^;]*);`).exec(source)?.[1] ?? '';
    const names = [...union.matchAll(/'([\w-]+)'/g)].map(([, name]) => name);
    const output = text.slice(text.indexOf('\n## Output'), text.indexOf('\n## Every field'));
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !output.includes(`\`${name}\``))).toEqual([]);
  });

  test('shows the picture that is drawn', async () => {
    const told = scenario(BAD_REVISION);
    const { lanes, spells, deaths } = await play(told);
    const blocks = timelineBlocks({ ...told, lanes, spells, deaths, services: ['web'] }, 80);
    const drawn = render(blocks, { width: 80, height: 24, colour: false, live: false });
    const [, shown = ''] = blockBelow('# Simulating', 'console').split(/(?<=s\n)\n/);
    expect(shown).toContain('web-5 @2');
    expect(drawn.startsWith(shown)).toBe(true);
  });

  test('shows the machines of a fleet as they are drawn', async () => {
    const told = scenario(readFileSync(join(DOCS, 'simulate/machine-kept-idle.yml'), 'utf8'));
    const blocks = timelineBlocks({ ...told, ...(await play(told)), services: ['llm'] }, 80);
    const drawn = render(blocks, { width: 80, height: 24, colour: false, live: false });
    const [, shown = ''] = blockBelow('## Fleets, idle machines and volumes', 'console').split(/(?<=s\n)\n/);
    expect(shown).toContain('pool-m3');
    expect(drawn.startsWith(shown)).toBe(true);
  });

  test('shows lines that are printed, and the summary', async () => {
    const { story, summary } = await play(scenario(BAD_REVISION, '/nowhere/bad-revision.yml'));
    const printed = [...story, { summary }].map((line) => JSON.parse(JSON.stringify(line)) as unknown);
    const shown = blockBelow('## Output', 'json').trimEnd().split('\n');
    expect(shown).toHaveLength(3);
    for (const line of shown) expect(printed).toContainEqual(JSON.parse(line));
  });

  test('shows expectations that are met', async () => {
    const told = parse(BAD_REVISION, { merge: true }) as object;
    const { expect: expected } = parse(blockBelow('## Expectations', 'yaml')) as { expect: unknown };
    const { summary } = await play(JSON.stringify({ ...told, expect: expected }));
    expect(summary.unmet).toEqual([]);
  });

  test('has an example that ends as it says', async () => {
    const base = mkdtempSync(join(tmpdir(), 'trueup-manual-'));
    try {
      mkdirSync(join(base, 'v2'));
      writeFileSync(join(base, 'v2/web.dstack.yml'), web('', false).replace('v1', 'v2'));
      const { summary } = await play(
        scenario(blockBelow('## A scenario', 'yaml'), join(base, 'scenario.yml')),
      );
      expect(summary).toMatchObject({ unmet: [], violations: [], leaked: 0, crashes: 1 });
    } finally {
      rmSync(base, { recursive: true });
    }
  });

  const COMMIT = { files: { 'web.dstack.yml': 'type: service' } };
  const fault = (each: object) => ({ backends: { a: { faults: [each] } } });
  const PLACES: { readonly [section: string]: (example: object) => object } = {
    scenario: (example) => example,
    backend: (example) => ({ backends: { a: example } }),
    offer: (example) => ({ backends: { a: { offers: [example] } } }),
    commit: (example) => ({ commits: [{ ...COMMIT, ...example }] }),
    behaviour: (example) => ({ replicas: { web: example } }),
    traffic: (example) => ({ traffic: { web: { rps: 1, ...example } } }),
    reconciler: (example) => ({ reconciler: example }),
    crash: (example) => ({ reconciler: { crashes: [{ at: '1m', ...example }] } }),
    ...Object.fromEntries(
      Object.keys(FAULTS).map((kind) => [kind, (example: object) => fault({ kind, ...example })]),
    ),
  };

  test.each(Object.entries(PLACES))('has examples of %s that can be read', (section, place) => {
    const table =
      scenarioManual()
        .split(/^### /m)
        .find((each) => each.startsWith(`${section}\n`)) ?? '';
    const examples = [...table.matchAll(/<br>`([^`]*)` \|$/gm)].map(([, example = '']) => example);
    expect(examples.length).toBeGreaterThan(1);
    const wrong = examples.flatMap((example) => {
      const whole = { duration: '1h', commits: [COMMIT], ...place(parse(example) as object) };
      const read = readScenario('/nowhere/example.yml', 'example.yml', JSON.stringify(whole));
      const problems = read.kind === 'problems' ? read.problems : [];
      return problems
        .filter(
          ({ message }) => !/^there is no (folder `\.\/v[12]`|`old\.dstack\.yml` to remove)$/.test(message),
        )
        .map(({ message }) => `${example}: ${message}`);
    });
    expect(wrong).toEqual([]);
  });
});

test('the example of --help can be read, but for the folder that it names', () => {
  const lines = [...SIMULATE_HELP.matchAll(/^ {2}(.*)$/gm)].slice(0, -1).map(([, line]) => line);
  const read = readScenario('/nowhere/example.yml', 'example.yml', lines.join('\n'));
  const problems = read.kind === 'problems' ? read.problems : [];
  expect(problems.map(({ message }) => message)).toEqual(['there is no folder `./v2`']);
});
