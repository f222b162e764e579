// The figures people quote are only as good as the arithmetic and the table that show them.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { median, type Outcome, perSecond, ratiosOf, table, WIDTH } from './figures.ts';
import { withSection } from './sections.ts';

describe('figures', () => {
  test('the median of an even number of samples lies between the middle two', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([8, 2, 4, 100])).toBe(6);
  });

  test('ratios compare repeat by repeat, where both have one', () => {
    expect(ratiosOf([10, 30, 99], [5, 10])).toEqual([2, 3]);
  });

  test('a rate comes from how many there were and how long all of them took', () => {
    expect(perSecond(400, [100, 2_000])).toEqual([4_000, 200]);
  });

  test('a table fits a narrow terminal, whatever was measured', () => {
    const outcome: Outcome = {
      rows: [
        {
          what: 'what was measured, 1,000 services',
          unit: 'ms',
          samples: [123_456, 99_999],
          ratios: [0.537, 0.581],
        },
        { what: 'a count', unit: '', samples: [9] },
      ],
      notes: [
        'A note that is long enough to be wrapped, because it explains what must be known to read the table.',
      ],
    };
    const lines = table(outcome).split('\n');
    expect(lines.filter((line) => line.length > WIDTH)).toEqual([]);
    expect(lines).toContainEqual(expect.stringMatching(/^a count +9$/));
  });
});

describe('BENCHMARKS.md', () => {
  const document = readFileSync(new URL('../../BENCHMARKS.md', import.meta.url), 'utf8');

  test('has a section for each entry, and a new table leaves the rest as it is', () => {
    for (const name of ['commit', 'pass', 'push', 'parse']) {
      const written = withSection(document, name, 'new figures');
      expect(written).toContain(`<!-- bench ${name} -->\n\`\`\`text\nnew figures\n\`\`\`\n<!-- end -->`);
      expect(withSection(written, name, 'new figures')).toBe(written);
      expect(written.replace(/```text[\s\S]*?```\n/g, '')).toBe(
        document.replace(/```text[\s\S]*?```\n/g, ''),
      );
    }
  });

  test('an entry without a section is told', () => {
    expect(() => withSection(document, 'missing', '')).toThrow('no section <!-- bench missing -->');
  });
});
