// What a service names of its surroundings, and what has nothing to do with it.
import { expect, test } from 'vitest';
import { play } from './scenarios.ts';

const service = (name: string, version: string, more = '') =>
  `${name}.dstack.yml: {type: service, name: ${name}, port: 80, commands: [${version}]${more}}`;

const broken = `
commits:
  - files: {pool.dstack.yml: {type: fleet, name: pool, nodes: 2}, ${service('web', 'one', ', fleets: [pool]')}, ${service('api', 'one')}}
  - {at: 5m, files: {pool.dstack.yml: {type: fleet, name: pool, nodez: 2}, ${service('web', 'two', ', fleets: [pool]')}, ${service('api', 'two')}}}`;

test('while the fleet that it names has errors nothing changes for it, it says so, and no other is held', async () => {
  const { summary } = await play(`${broken}\nduration: 20m`);
  expect(summary.services.api).toMatchObject({ status: 'running', deployment: 2 });
  expect(summary.services.web).toMatchObject({ status: 'invalid', deployment: 1, ready: 1 });
  expect(summary.services.web?.waiting).toMatchObject([
    {
      reason: 'problem',
      detail: expect.stringContaining(
        'it names the fleet `pool`, and pool.dstack.yml has errors; the last good spec stays',
      ),
    },
  ]);
});

test('and once it is fixed it goes on by itself', async () => {
  const { summary } = await play(`${broken}
  - {at: 10m, files: {pool.dstack.yml: {type: fleet, name: pool, nodes: 3}}}
duration: 30m`);
  expect(summary.services.web).toMatchObject({ status: 'running', deployment: 2, ready: 1 });
});
