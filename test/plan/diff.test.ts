// What a commit would change: named by field, with what it does to replicas and what it costs.
import jsonpatch from 'fast-json-patch';
import { describe, expect, test } from 'vitest';
import { planOf } from '../../reconciler/plan/diff.ts';
import type { DesiredService } from '../../schemas/desired.ts';
import { type Change, planSchema } from '../../schemas/plan.ts';
import { group, LOCAL, replica, service, state } from './samples.ts';

const before = service('web');
const context = { commit: 'b'.repeat(40), base: 'a'.repeat(40) };

/** What becomes of `web`; null: it is not there. */
function changeOf(desired: DesiredService | null, deployed: DesiredService | null): Change {
  const plan = planOf(
    new Map(desired ? [['web', desired]] : []),
    new Map(deployed ? [['web', state(deployed)]] : []),
    context,
  );
  const [change] = plan.changes;
  if (!change || plan.changes.length > 1) throw new Error('one service, one change');
  return change;
}

describe('the change of a service', () => {
  test('is nothing when its file says the same', () => {
    expect(changeOf(service('web'), before)).toMatchObject({
      change: 'keep',
      how: [],
      patch: [],
    });
  });

  test('creates what is new and deletes what is gone', () => {
    expect(changeOf(before, null)).toMatchObject({
      change: 'create',
      reason: 'web.dstack.yml is new',
      patch: [{ op: 'add', path: '', value: before.configuration }],
    });
    expect(changeOf(null, before)).toMatchObject({
      change: 'delete',
      patch: [{ op: 'remove', path: '' }],
      groups: [],
    });
  });

  test('replaces replicas when the process is made of something else', () => {
    const after = service(
      'web',
      { commands: ['node b.js'] },
      { groups: [group({}, { commands: ['node b.js'] })] },
    );
    expect(changeOf(after, before)).toMatchObject({
      change: 'update',
      how: ['replace'],
      reason: 'commands changed: replicas are replaced one by one',
    });
  });

  test('touches no replica when only routing changes', () => {
    const after = service('web', { auth: false, probes: [{ url: '/' }] });
    expect(changeOf(after, before)).toMatchObject({
      how: ['route'],
      reason: 'auth and probes changed: no replica is touched',
    });
  });

  test('names every effect, the strongest last and in the reason', () => {
    const after = service(
      'web',
      { replicas: 2, auth: false, image: 'nginx', resources: { cpu: 2 } },
      { groups: [group({}, { image: 'nginx' })] },
    );
    const change = changeOf(after, before);
    expect(change.how).toEqual(['route', 'scale', 'placement', 'replace']);
    expect(change.reason).toBe(
      'auth, image, replicas and resources changed: replicas are replaced one by one',
    );
  });

  test('keeps replicas when a field of the process is only spelled anew', () => {
    const change = changeOf(service('web', { commands: ['node  app.js'] }), before);
    expect(change).toMatchObject({ change: 'update', how: [] });
    expect(change.reason).toContain('what runs stays the same');
  });

  test('says which files and which values changed when the configuration does not', () => {
    const made = (hash: string, value: string, password: string) =>
      service(
        'web',
        {},
        {
          groups: [
            group(
              {},
              {
                files: [{ source: 'app', target: 'app', hash }],
                env: { HF_TOKEN: value, LEVEL: 'info' },
                registryAuth: { username: 'me', password },
              },
            ),
          ],
        },
      );
    const change = changeOf(made('h2', 'mask:2', 'mask:b'), made('h1', 'mask:1', 'mask:a'));
    expect(change).toMatchObject({ change: 'update', how: ['replace'], patch: [] });
    expect(change.reason).toBe(
      'the content of app, the value of HF_TOKEN and the registry password changed: replicas are replaced one by one',
    );
  });

  test('compares groups by name and field', () => {
    const groups = (count: number, second: boolean) => [
      { name: 'cpu', replicas: count, commands: ['a'] },
      ...(second ? [{ name: 'gpu', replicas: 1, commands: ['b'] }] : []),
    ];
    const made = (count: number, second: boolean) =>
      service('web', { groups: groups(count, second) }, { groups: [group({ name: 'cpu' })] });
    const change = changeOf(made(2, true), made(1, false));
    expect(change.how).toEqual(['scale']);
    expect(change.reason).toBe('replicas of group cpu and groups (gpu is new) changed: replicas are kept');
  });

  test('has a patch that turns what is deployed into what is wanted', () => {
    const after = service('web', { commands: ['a', 'b'], env: { 'a/b~c': '1' }, auth: false });
    const { patch } = changeOf(after, before);
    const deployed = structuredClone(before.configuration);
    const patched = jsonpatch.applyPatch(
      deployed,
      structuredClone(patch) as jsonpatch.Operation[],
    ).newDocument;
    expect(patched).toEqual(after.configuration);
  });
});

describe('a plan', () => {
  test('lists every service once, by name, and is what the API promises', () => {
    const old = service('old', {}, { groups: [group({}, { image: 'other' })] });
    const plan = planOf(
      new Map([
        ['web', service('web', { auth: false })],
        ['api', service('api', {}, { groups: [group({}, { image: 'api' })] })],
      ]),
      new Map([
        ['web', state(before)],
        ['old', state(old)],
      ]),
      context,
    );
    expect(plan.changes.map(({ service, change }) => `${service} ${change}`)).toEqual([
      'api create',
      'old delete',
      'web update',
    ]);
    expect(plan.deletions).toEqual(['old']);
    expect(planSchema.parse(plan)).toEqual(plan);
  });

  test('a file that does not parse keeps its service', () => {
    const plan = planOf(new Map(), new Map([['web', state(before)]]), {
      ...context,
      unread: new Set(['web']),
    });
    expect(plan).toMatchObject({ deletions: [], changes: [{ service: 'web', change: 'keep' }] });
  });

  test('a service that moves to another name is renamed, not deleted', () => {
    const renames = [{ from: 'web', to: 'site' }];
    const plan = planOf(new Map([['site', service('site')]]), new Map([['web', state(before)]]), {
      ...context,
      renames,
    });
    expect(plan.changes).toMatchObject([{ service: 'site', change: 'rename', from: 'web' }]);
    expect(plan.deletions).toEqual([]);
  });

  test('a service that is there under its new name already is not renamed again', () => {
    const states = new Map([
      ['web', state(before)],
      ['site', state(service('site'))],
    ]);
    const plan = planOf(new Map([['site', service('site')]]), states, {
      ...context,
      renames: [{ from: 'web', to: 'site' }],
    });
    expect(plan.changes.map(({ change }) => change)).toEqual(['keep', 'delete']);
  });

  test('prices what runs, what will run, and the most that runs at once', () => {
    const offer = { ...LOCAL, backend: 'cloud', price: 2 };
    const after = service(
      'web',
      { image: 'x', replicas: 3 },
      { groups: [group({ replicas: { min: 3, max: 3 } }, { image: 'x' })] },
    );
    const running = state(before, { replicas: [replica('web-0', { offer }), replica('web-1', { offer })] });
    const plan = planOf(new Map([['web', after]]), new Map([['web', running]]), {
      ...context,
      marketOf: () => ({ offers: [offer], total: 1, excluded: [], failures: [] }),
    });
    expect(plan.price).toMatchObject({ now: 4, steady: 6, peak: 8 });
    expect(plan.changes[0]?.groups).toMatchObject([{ name: '0', offers: [offer], totalOffers: 1, price: 6 }]);
  });
});
