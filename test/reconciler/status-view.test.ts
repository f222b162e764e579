// The status of services, as people read it.
import { describe, expect, test } from 'vitest';
import { render } from '../../reconciler/cli/screen.ts';
import { statusOf } from '../../reconciler/plan/explain.ts';
import { fleetView, volumeView } from '../../reconciler/plan/explain-around.ts';
import { aroundBlocks } from '../../reconciler/view/around.ts';
import { attentionOf, serviceBlocks, statusBlocks, whyBlocks } from '../../reconciler/view/status.ts';
import type { Why } from '../../schemas/api.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { fleet, fleetState, machine, used, volume, volumeState } from '../plan/around-samples.ts';
import { deployment, replica, service, state } from '../plan/samples.ts';

const web = service('web');

function view(overrides: Partial<ServiceState>) {
  const record = { service: web, removed: false, problems: [] };
  const subject = { name: 'web', record, state: state(web, overrides), url: 'http://x/web/', now: 1000 };
  return statusOf(subject, (ms) => new Date(ms).toISOString());
}

describe('a service', () => {
  const table = (group: string) => {
    const shown = view({ replicas: [replica('web-1', { group })] });
    return render(serviceBlocks(shown), { width: 80, height: 24, colour: false, live: false });
  };

  test('with groups says of each replica which it is of', () => {
    expect(table('big')).toContain(
      'REPLICA  GROUP  PHASE  PROBES  DEPLOYMENT  WHERE  PRICE\nweb-1    big    ready',
    );
    expect(table('0')).toContain('REPLICA  PHASE  PROBES');
  });

  test('that is held back says so, not how its last rollout ended', () => {
    const waiting = [
      { reason: 'suspended', subject: '', since: 0, until: null, detail: 'what runs goes on' },
    ] as const;
    const ended = { from: 1, to: 2, commit: '', startedAt: 0, endedAt: 1, exits: 3, unready: 0 };
    const rollout = { ...ended, outcome: 'failed', reason: 'it ended' } as const;
    const deployments = [deployment(web, 1)];
    expect(attentionOf(view({ status: 'suspended', waiting, rollout, deployments }))).toBe(
      'what runs goes on',
    );
    expect(attentionOf(view({ status: 'degraded', waiting: [], rollout, deployments }))).toBe(
      'deployment 1 → 2 failed: it ended',
    );
  });
});

describe('a project', () => {
  test('says since when its repository cannot be read, and what stays though its file is gone', () => {
    const sourceFailure = { message: 'There is no repository.', since: '2026-01-01T00:00:00Z' };
    const status = { project: 'main', commit: null, services: [], around: [], problems: [], others: [] };
    const text = render(statusBlocks({ ...status, sourceFailure, held: ['old'] }), {
      width: 80,
      height: 24,
      colour: false,
      live: false,
    });
    expect(text).toMatch(/There is no repository\. \(since /);
    expect(text.replaceAll(/\s+/g, ' ')).toContain(
      'kept old (their files are gone; `trueup why` of each says',
    );
  });
});

describe('what is around services', () => {
  const screen = { width: 80, height: 24, colour: false, live: false };
  const spell = (ms: number) => new Date(ms).toISOString();
  const models = volume();
  const around = [
    fleetView(
      {
        name: 'pool',
        services: [{ name: 'web', waits: true }],
        desired: fleet({ nodes: { min: 2, target: 2, max: 4 } }),
        state: fleetState([used(1), machine(2)], {
          waiting: [
            { reason: 'capacity', subject: '', since: 0, until: null, detail: 'nobody sells any more' },
          ],
        }),
      },
      spell,
    ),
    volumeView(
      {
        name: 'models',
        services: [],
        heldBy: [{ service: 'web', replica: 'web-1' }],
        desired: models,
        state: volumeState(models),
      },
      spell,
    ),
  ];

  test('is below the services, and what nobody uses is part of the price', () => {
    const status = { project: 'main', commit: null, problems: [], others: [], sourceFailure: null, held: [] };
    const text = render(statusBlocks({ ...status, services: [view({})], around }), screen);
    expect(text).toMatch(/^main .* · 1 of 1 running · \$2\.50\/h \(\$2\.50\/h of it unused\)\n/);
    expect(text).toContain(`
FLEET  STATUS   MACHINES  USED  IDLE  KEPT  UNUSED
pool   waiting  2         1     1     2     $2.50/h
  nobody sells any more

VOLUME  STATUS  WHERE     SIZE   HELD BY
models  ready   aws (us)  100GB  web-1
`);
  });

  test('is shown in detail: each machine, who has it, who waits', () => {
    const text = render(around.flatMap(aroundBlocks), screen);
    expect(text).toContain('fleet:pool waiting\n  file       pool.dstack.yml\n');
    expect(text).toContain('  machines   2: 1 used, 1 idle\n  nodes      2 kept, at most 4\n');
    expect(text).toContain('  named by   web (waits)\n');
    expect(text).toMatch(/pool-m1 +ready +web-1 +aws us h100 +\$2\.50\/h\npool-m2 +idle +- /);
    expect(text).toContain('volume:models ready\n');
    expect(text).toContain('  held by    web-1\n');
  });

  test('says in why who uses what', () => {
    const [pool] = around;
    const why = {
      service: 'fleet:pool',
      status: 'ready',
      waiting: [],
      problems: [],
      next: 'Nothing.',
    } as const;
    const text = render(whyBlocks({ ...why, ...(pool && { around: pool }) }), screen);
    expect(text).toMatch(/machine +pool-m1: web-1\n +machine +pool-m2: idle \(since .*, kept\)\n/);
  });
});

const WHY: Why = {
  service: 'web',
  status: 'failed',
  waiting: [],
  next: 'Nothing.',
  problems: [],
  failure: {
    replica: 'web-1',
    deployment: 1,
    time: '2026-11-29T12:00:00.000Z',
    reason: 'exited with code 1',
    log: ['boom'],
    probes: [
      { streak: 0, failures: 0, detail: 'not probed yet' },
      { streak: 0, failures: 3, detail: '500' },
      { streak: 2, failures: 0, detail: '200' },
    ],
  },
};

test('probes that were asked are shown with a failure, those that never were are not', () => {
  const text = render(whyBlocks(WHY), { width: 80, height: 24, colour: false, live: false });
  expect(text).not.toContain('not probed yet');
  expect(text).toContain('probe 2: 500 (3 failed in a row)');
  expect(text).toContain('probe 3: 200 (2 passed in a row)');
  expect(text).toContain('| boom');
});
