// The status of services, as people read it.
import { describe, expect, test } from 'vitest';
import { render } from '../../reconciler/cli/screen.ts';
import { statusOf } from '../../reconciler/plan/explain.ts';
import { attentionOf, serviceBlocks, statusBlocks, whyBlocks } from '../../reconciler/view/status.ts';
import type { Why } from '../../schemas/api.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
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
    const status = { project: 'main', commit: null, services: [], problems: [], others: [] };
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
