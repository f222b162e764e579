// The smaller grammars, each as the field of a service that it is read for.
import { expect, test } from 'vitest';
import { parseConfiguration } from '../../schemas/configuration.ts';

const BASE = 'type: service\nport: 80\ncommands: [x]\n';

function read(field: string, yaml: string): unknown {
  const scaling = field === 'replicas' && /\.\.|max/.test(yaml) ? 'scaling: {metric: rps, target: 1}\n' : '';
  const { configuration, findings } = parseConfiguration(`${BASE}${scaling}${field}: ${yaml}\n`);
  const [error] = findings.filter(({ severity }) => severity === 'error');
  return error === undefined ? configuration?.[field] : `error: ${error.message}`;
}

test.each([
  ['user', '1000', '1000'],
  ['user', 'me:users', 'me:users'],
  ['user', '"1000:1000"', '1000:1000'],
  ['shell', 'bash', 'bash'],
  ['shell', '/bin/zsh', '/bin/zsh'],
  ['python', '3.10', '3.10'],
  ['python', '3.1', '3.10'],
  ['python', '"3.12"', '3.12'],
  ['replicas', '3', { min: 3, max: 3 }],
  ['replicas', '1..4', { min: 1, max: 4 }],
  ['replicas', '..4', { min: 0, max: 4 }],
  ['replicas', '{min: 1, max: 4}', { min: 1, max: 4 }],
  ['replicas', '0', { min: 0, max: 0 }],
  ['tags', '{a-b_1: "x y.:/=_-+@"}', { 'a-b_1': 'x y.:/=_-+@' }],
  ['fleets', '[a, b/c]', [{ name: 'a' }, { project: 'b', name: 'c' }]],
  ['max_duration', 'off', 'off'],
  ['max_duration', '90', 90],
  ['idle_duration', '-5', -5],
  ['auth', '"No"', false],
  ['priority', '"5"', 5],
  ['max_price', '"1.5"', 1.5],
])('%s: %s', (field, yaml, expected) => {
  expect(read(field, yaml)).toEqual(expected);
});

test.each([
  ['user', '"a:"', '`a:` is not a user'],
  ['user', '"-1"', '`-1` has a negative id'],
  ['shell', 'fish', '`fish` is not a shell'],
  ['python', '"3.1"', '`3.1` is not a Python version'],
  ['python', '2.7', '`2.7` is not a Python version'],
  ['replicas', '4..1', 'the range ends (1) before it begins (4)'],
  ['replicas', '1..', 'the range has no upper end'],
  ['replicas', '-1', 'there cannot be less than 0 replicas'],
  ['tags', '{"a b": x}', '`a b` is not a tag key'],
  ['tags', '{a: "x*"}', '`x*` is not a tag value'],
  ['fleets', '[a/b/c]', '`a/b/c` is not a name'],
  ['max_duration', '-5', 'a duration cannot be negative'],
  ['priority', '101', '`101` is above 100'],
  ['max_price', '0', '`0` is not a number above 0'],
])('%s: %s is a mistake', (field, yaml, message) => {
  expect(read(field, yaml)).toBe(`error: ${message}`);
});

test.each([
  ['stop_duration: 5min', 'Write whole numbers with units (s, m, h, d, w), here `5m`.'],
  ['stop_duration: 2 hours', 'Write whole numbers with units (s, m, h, d, w), here `2h`.'],
  ['stop_duration: 1.5m', 'Write whole numbers with units (s, m, h, d, w), here `1m30s`.'],
  ['stop_duration: soon', 'Write whole numbers with units (s, m, h, d, w), for example `90s` or `1h30m`.'],
  ['resources: {memory: 16GiB}', 'Write a number with MB, GB or TB, here `16GB`.'],
  ['resources: {cpu: arm64}', 'Write `arm`.'],
  ['spot_policy: ondemand', 'Did you mean `on-demand`?'],
  ['gpu: A100', 'Move it below `resources`.'],
  ['model: {name: x, format: opneai}', 'Did you mean `openai`?'],
])('%s: the fix is what was probably meant', (line, fix) => {
  expect(parseConfiguration(BASE + line).findings.map((finding) => finding.fix)).toEqual([fix]);
});
