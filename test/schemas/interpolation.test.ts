// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration language look like that
import { describe, expect, test } from 'vitest';
import { interpolate, references } from '../../schemas/grammar/interpolation.ts';

const fill = (text: string): string => interpolate(text, (name) => (name === 'env.A' ? '<a>' : undefined));

test.each([
  ['x${{ env.A }}y${{env.A}}', 'x<a>y<a>'],
  ['$HOME ${A} $', '$HOME ${A} $'],
  ['$${{ env.A }}', '${{ env.A }}'],
  ['cost: $$5', 'cost: $5'],
  ['${{ env.B }}', '${{ env.B }}'],
  ['${{ env.A', '${{ env.A'],
  ['', ''],
])('%j becomes %j', (text, expected) => {
  expect(fill(text)).toBe(expected);
});

describe('references', () => {
  test('are told in order, without those that are escaped', () => {
    const { names, mistakes } = references(
      '${{ env.A }} $${{ env.B }} ${{secrets.C}} ${{ groups[0].replicas[1].IP_ADDRESS }}',
    );
    expect(names).toEqual(['env.A', 'secrets.C', 'groups[0].replicas[1].IP_ADDRESS']);
    expect(mistakes).toEqual([]);
  });

  test.each([
    '${{ }}',
    '${{ env }}',
    '${{ env.a.b }}',
    '${{ 1.a }}',
    '${{ env.1 }}',
    '${{ env.a-b }}',
    '${{ env.A',
  ])('%s is a mistake', (text) => {
    expect(references(text).mistakes).toHaveLength(1);
  });
});
