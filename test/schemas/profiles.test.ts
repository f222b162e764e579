import { expect, test } from 'vitest';
import { parseFile } from '../../reconciler/source/parse.ts';
import type { JsonObject } from '../../schemas/json.ts';
import { parseProfiles } from '../../schemas/profiles.ts';

const profilesOf = (text: string) => parseProfiles({ path: '.dstack/profiles.yml', text });

function sparseWith(profiles: string, more = ''): JsonObject {
  const text = `type: service\nname: web\nport: 80\nimage: nginx\n${more}`;
  const parsed = parseFile(
    { path: 'web.dstack.yml', text },
    { root: '', profiles: profilesOf(profiles).profiles },
  );
  if (parsed.sparse === null) throw new Error(JSON.stringify(parsed.problems));
  const { port: _port, image: _image, ...rest } = parsed.sparse;
  return rest;
}

const TEAM =
  'profiles:\n  - name: other\n    regions: [us]\n  - name: team\n    default: true\n    regions: [eu]\n    retry: true\n    tags: {team: a, cost: b}\n    max_price: 1\n';

test('the fields of the default profile hold where a file has none of its own', () => {
  expect(sparseWith(TEAM)).toEqual({
    regions: ['eu'],
    retry: true,
    tags: { team: 'a', cost: 'b' },
    max_price: 1,
  });
});

test('a field of the file replaces the whole field of the profile, also by a value that says nothing', () => {
  expect(sparseWith(TEAM, 'regions: []\nretry: false\ntags: {team: z}\nmax_price: null\n')).toEqual({
    regions: [],
    tags: { team: 'z' },
    max_price: 1,
  });
});

test('the first profile marked as default counts, and none where none is', () => {
  expect(
    sparseWith('profiles: [{name: a, default: yes, max_price: 1}, {name: b, default: true, max_price: 2}]'),
  ).toEqual({ max_price: 1 });
  expect(sparseWith('profiles: [{name: a, max_price: 1}]')).toEqual({});
  expect(parseProfiles(null)).toEqual({ profiles: null, problems: [] });
});

test('the name of a profile is no part of what a service asks for', () => {
  const spelled = (name: string) => sparseWith(`profiles: [{name: ${name}, default: true, regions: [eu]}]`);
  expect(spelled('a')).toEqual(spelled('b'));
});

test.each([
  ['', ': a mapping is expected, not empty'],
  ['profiles: [{name: a, env: {}}]', 'profiles[0].env: `env` is not a known key'],
  ['profiles: [{name: a, backends: [ec2]}]', /^profiles\[0\]\.backends\[0\]: `ec2` is not/],
])('%j is a mistake', (text, expected) => {
  const problems = profilesOf(text).problems.map(({ path, message }) => `${path}: ${message}`);
  expect(problems).toEqual([typeof expected === 'string' ? expected : expect.stringMatching(expected)]);
});
