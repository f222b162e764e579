// Services that want the same, of which there is not enough: who gets it.
import { describe, expect, test } from 'vitest';
import { play } from './scenarios.ts';

const file = (name: string, priority: number, more = '') =>
  `${name}.dstack.yml: {type: service, name: ${name}, port: 80, commands: [serve], priority: ${priority}${more}}`;

/** Of a cloud with room for one. */
const cloud = (isFrank: boolean, offers = '{capacity: 1}') =>
  `backends: {cloud: {frank: ${isFrank}, boot: 10s, offers: [${offers}]}}`;

const readyIn = ({ story }: Awaited<ReturnType<typeof play>>) =>
  story.flatMap(({ event, replica }) => (event === 'replica-ready' ? [replica?.split('-')[0]] : []));

describe.each([true, false])('where offers say what is sold out: %s', (isFrank) => {
  test('of those that come together the one of the highest priority is first', async () => {
    const played = await play(`
${cloud(isFrank)}
commits: [{files: {${file('aaa', 0)}, ${file('mmm', 100)}, ${file('zzz', 50)}}}]
duration: 30m`);
    expect(readyIn(played)).toEqual(['mmm']);
  });

  test('of those that come together it has all that it asks for before another has anything', async () => {
    const { summary } = await play(`
backends: {cloud: {frank: ${isFrank}, capacity: 7}}
commits: [{files: {${file('aaa', 10, ', replicas: 5')}, ${file('zzz', 80, ', replicas: 5')}}}]
duration: 30m`);
    const ready = ({ aaa, zzz }: typeof summary.services) => [aaa?.ready, zzz?.ready];
    expect(ready(summary.services)).toEqual([2, 5]);
  });

  test('what becomes free goes to the one of the highest priority, whoever waited longer or looks first', async () => {
    const played = await play(`
${cloud(isFrank)}
commits:
  - files: {${file('first', 0)}}
  - {at: 1m, files: {${file('low', 10)}}}
  - {at: 20m, files: {${file('top', 90)}}}
  - {at: 2h, remove: [first.dstack.yml]}
  - {at: 2h12s, files: {${file('low', 10, ', env: [A=b]')}}}
  - {at: 4h, remove: [top.dstack.yml]}
duration: 6h`);
    expect(readyIn(played)).toEqual(['first', 'top', 'low']);
  });
});

test('it is said who goes first, and nobody waits for what only others ask for', async () => {
  const played = await play(`
${cloud(true, '{instance: large, gpu: "H100:80GB:8", capacity: 1}, {instance: small, gpu: "T4:16GB:1", capacity: 1}')}
commits:
  - files: {${file('first', 0, ', resources: {gpu: H100:8}')}, ${file('other', 0, ', resources: {gpu: T4}')}}
  - {at: 1m, files: {${file('top', 90, ', resources: {gpu: H100:8}')}}}
  - {at: 2m, files: {${file('low', 10, ', resources: {gpu: H100:8}')}, ${file('tiny', 0, ', resources: {gpu: T4}')}}}
  - {at: 30m, remove: [other.dstack.yml]}
  - {at: 1h, remove: [first.dstack.yml]}
duration: 1h5s`);
  expect(readyIn(played)).toEqual(['first', 'other', 'tiny']);
  expect(played.summary.services.low?.waiting).toMatchObject([
    {
      reason: 'capacity',
      detail: 'what there is goes to top first, of higher priority and waiting for the same',
    },
  ]);
});

test('nothing that runs is ended for a higher priority', async () => {
  const played = await play(`
${cloud(true)}
commits: [{files: {${file('low', 0)}}}, {at: 1m, files: {${file('top', 100)}}}]
duration: 10h`);
  expect(readyIn(played)).toEqual(['low']);
  expect(played.summary.services.low?.ready).toBe(1);
});

test('a backend that does not answer the one of higher priority holds up nobody else', async () => {
  const { summary } = await play(`
backends:
  cloud: {faults: [{kind: api-errors, operations: [create], effect: before, from: 0s, to: 20m, rate: 80%}]}
commits: [{files: {${file('low', 0, ', replicas: 3')}, ${file('top', 100, ', replicas: 3')}}}]
duration: 20m`);
  expect(summary.services.low?.ready).toBe(3);
});
