// What `trueup serve` prints as it goes.
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createConsole } from '../../reconciler/console.ts';
import { openMemory } from '../../reconciler/store/memory.ts';
import { eventually } from '../e2e/eventually.ts';

async function linesOf(projects: readonly string[]): Promise<string[]> {
  const store = openMemory({ now: () => 0 });
  const stream = new PassThrough();
  const screen = createConsole(stream as unknown as NodeJS.WriteStream, {});
  await screen.follow(store, projects, () => '');
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  for (const project of projects)
    await store.appendEvents(project, [
      { service: '', event: 'source-failed', reason: `of ${project}` },
      { service: 'web', event: 'desired', reason: `of ${project}` },
    ]);
  await eventually('all is printed', () => text.split('\n').length > 2 * projects.length);
  screen.stop();
  return text
    .trim()
    .split('\n')
    .map((line) => line.replace(/^\S+ \S+ /, ''));
}

test('events of several projects say of which', async () => {
  expect(await linesOf(['main', 'b'])).toEqual([
    expect.stringMatching(/^main\/- +source-failed +of main$/),
    expect.stringMatching(/^main\/web +desired +of main$/),
    expect.stringMatching(/^b\/- +source-failed +of b$/),
    expect.stringMatching(/^b\/web +desired +of b$/),
  ]);
});

test('of one project do not', async () => {
  expect(await linesOf(['main'])).toEqual([
    expect.stringMatching(/^- +source-failed +of main$/),
    expect.stringMatching(/^web +desired +of main$/),
  ]);
});
