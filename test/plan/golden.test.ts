// Whole plans, as people see them: small repositories before and after a commit, and the plan between them as text, as
// Markdown and as JSON. `TRUEUP_UPDATE=1` writes what there is; read it before it is committed.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { marketOf } from '../../backends/catalog/market.ts';
import { openCatalog } from '../../backends/catalog/source.ts';
import { render } from '../../reconciler/cli/screen.ts';
import { planBetween, type Side } from '../../reconciler/plan-between.ts';
import { createVault } from '../../reconciler/secrets.ts';
import { planMarkdown } from '../../reconciler/view/markdown.ts';
import { planBlocks } from '../../reconciler/view/plan.ts';
import { type Plan, planSchema } from '../../schemas/plan.ts';

const GOLDEN = join(import.meta.dirname, '../golden');
const PLANS = join(GOLDEN, 'plans');
const SCREEN = { width: 80, height: 24, colour: false, live: false };

const { catalog } = await openCatalog({ kind: 'folder', dir: join(GOLDEN, 'prices') });
const vault = createVault(Buffer.alloc(32, 7));

function sideOf(folder: string, commit: string): Side | null {
  if (!existsSync(folder)) return null;
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.yml'),
  );
  const files = paths.sort().map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }));
  return { files, commit: commit.repeat(20) };
}

function planFor(name: string): Promise<Plan> {
  const after = sideOf(join(PLANS, name, 'after'), 'be');
  if (!after) throw new Error(`${name} has nothing to plan`);
  return planBetween(sideOf(join(PLANS, name, 'before'), 'af'), after, {
    vault,
    now: Date.parse('2026-06-01T12:00:00Z'),
    prices: { source: 'catalog', date: '2026-06-01' },
    ask: (placement, process) => marketOf(catalog, placement, process, 10),
  });
}

describe.each(readdirSync(PLANS))('the plan of %s', async (name) => {
  const plan = await planFor(name);
  const shown = {
    'plan.txt': render(planBlocks(plan), SCREEN),
    'plan.md': planMarkdown(plan),
    'plan.json': `${JSON.stringify(plan, null, 2)}\n`,
  };

  test.each(Object.entries(shown))('is as %s says', (file, text) => {
    const path = join(PLANS, name, file);
    if (process.env.TRUEUP_UPDATE) writeFileSync(path, text);
    expect(text).toBe(readFileSync(path, 'utf8'));
  });

  test('keeps its promises: its shape, its sums, its width', () => {
    expect(planSchema.parse(plan)).toEqual(plan);
    for (const key of ['now', 'steady', 'steadyMax', 'peak'] as const) {
      const sum = plan.changes.reduce((total, { price }) => total + price[key], 0);
      expect(plan.price[key]).toBeCloseTo(sum, 5);
    }
    expect(plan.price.peak).toBeGreaterThanOrEqual(Math.max(plan.price.now, plan.price.steady));
    for (const line of shown['plan.txt'].split('\n')) expect([...line].length).toBeLessThanOrEqual(80);
  });
});
