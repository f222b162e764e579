// What other tools are known to do wrong, and what the reference was seen to do: each as a scenario that users can run,
// which ends as it says. Where the order of things matters it is here.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { play, scenario } from './scenarios.ts';

const FOLDER = join(import.meta.dirname, 'known');

/** Events of replicas from the second commit on, without those that only say what came of an order. */
const ORDER: { readonly [name: string]: readonly string[] } = {
  'one-after-the-other': [
    'replica-created web-3',
    'replica-ready web-3',
    'replica-draining web-2',
    'replica-stopped web-2',
    'replica-created web-4',
    'replica-ready web-4',
    'replica-draining web-1',
    'replica-stopped web-1',
  ],
  'more-and-changed': [
    'replica-created web-2',
    'replica-created web-3',
    'replica-created web-4',
    'replica-ready web-2',
    'replica-ready web-3',
    'replica-ready web-4',
    'replica-draining web-1',
    'replica-stopped web-1',
  ],
  'a-new-one-crashes': ['web-3', 'web-4', 'web-5'].flatMap((name) => [
    `replica-created ${name}`,
    `replica-failed ${name}`,
    `replica-stopped ${name}`,
  ]),
  'no-room-for-a-surge': [],
  'service-renamed': [
    'replica-draining web-3',
    'replica-stopped web-3',
    'replica-created site-1',
    'replica-created site-2',
    'replica-created site-3',
    'replica-ready site-1',
    'replica-draining web-2',
    'replica-stopped web-2',
    'replica-created site-4',
    'replica-created site-5',
    'replica-ready site-4',
    'replica-draining web-1',
    'replica-stopped web-1',
    'replica-created site-6',
    'replica-ready site-6',
  ],
};

test.each(readdirSync(FOLDER).map((file) => file.replace('.yml', '')))('%s', async (name) => {
  const path = join(FOLDER, `${name}.yml`);
  const told = scenario(readFileSync(path, 'utf8'), path);
  const { summary, story, strays } = await play(told);
  const { unmet, violations, leaked } = summary;
  expect({ unmet, violations, leaked, strays }).toEqual({ unmet: [], violations: [], leaked: 0, strays: [] });
  const second = (told.commits[1]?.atMs ?? 0) / 1000;
  const order = story
    .filter(({ t, replica, event }) => t >= second && replica && event.startsWith('replica-'))
    .map(({ event, replica }) => `${event} ${replica}`);
  if (ORDER[name]) expect(order).toEqual(ORDER[name]);
});
