// A service that is called otherwise: the old one goes on until the new one has been rolled out, and says so.
import { expect, test } from 'vitest';
import { play } from './scenarios.ts';

const renamed = (capacity: number) => `
backends: {cloud: {boot: 20s, offers: [{capacity: ${capacity}}]}}
commits:
  - files: {web.dstack.yml: {type: service, name: web, port: 80, commands: [serve], replicas: 2}}
  - {at: 5m, remove: [web.dstack.yml], files: {site.dstack.yml: {type: service, name: site, port: 80, commands: [serve], replicas: 2}}}
duration: 1h`;

test('with room for both the new one takes over', async () => {
  const { summary } = await play(renamed(4));
  expect(summary.removed).toEqual(['web']);
  expect(summary.services.site).toMatchObject({ status: 'running', ready: 2 });
});

test('without room for both the old one serves on, and both say what is waited for', async () => {
  const { summary } = await play(renamed(3));
  expect(summary.services.web).toMatchObject({ status: 'running', ready: 2 });
  expect(summary.services.web?.waiting).toMatchObject([
    { reason: 'rename', detail: 'it is called site now, and ends once that has been rolled out' },
  ]);
  expect(summary.services.site?.waiting).toMatchObject([{ reason: 'capacity' }]);
});

test('a new one that ends as soon as it is ready does not take over', async () => {
  const { summary } = await play(`${renamed(9)}
replicas: {site: {crash_after: 6s}}`);
  expect(summary.services.web).toMatchObject({ status: 'running', ready: 2, minReady: 2 });
  expect(summary.services.web?.waiting).toMatchObject([{ reason: 'rename' }]);
});
