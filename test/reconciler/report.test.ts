// What is told of a commit: one state and one line, by what the store has of the project and its services.
import { describe, expect, test } from 'vitest';
import type { StoredService } from '../../reconciler/report/progress.ts';
import { type CommitReport, LONGEST, reportsOf } from '../../reconciler/report/report.ts';
import type { DesiredRecord, DesiredService, Pending } from '../../schemas/desired.ts';
import type { Problem } from '../../schemas/errors.ts';
import type { ProjectState } from '../../schemas/project.ts';
import type { Rollout, ServiceState, WaitingReason } from '../../schemas/rollout.ts';
import { deployment, service, state } from '../plan/samples.ts';

const OLD = '01d0'.repeat(10);
const NEW = 'beef'.repeat(10);

type Project = Pick<ProjectState, 'commit' | 'applied' | 'pending' | 'problems'>;
const AUTO: Project = { commit: NEW, applied: NEW, problems: [] };
/** NEW waits for approval, OLD is in force. */
const GATED: Project = { commit: NEW, applied: OLD, pending: { commit: NEW, since: 0 }, problems: [] };

const asked = (name: string, commit = NEW, fields = {}): DesiredService => ({
  ...service(name, fields),
  commit,
});

function record(desired: DesiredService | null, more: Partial<DesiredRecord> = {}): DesiredRecord {
  return { service: desired, removed: false, problems: [], ...more };
}

function rollout(outcome: Rollout['outcome'], more: Partial<Rollout> = {}): Rollout {
  const times = { startedAt: 0, endedAt: outcome === 'rolling' ? null : 1 };
  return { from: null, to: 1, commit: NEW, ...times, outcome, reason: '', exits: 0, unready: 0, ...more };
}

function stored(
  desired: DesiredService,
  more: Partial<ServiceState> | null,
  own = record(desired),
): StoredService {
  return { name: desired.name, record: own, state: more && state(desired, more) };
}

const done = (name: string, commit = NEW) => stored(asked(name, commit), { rollout: rollout('done') });
const rolling = (name: string, more: Partial<ServiceState> = {}) =>
  stored(asked(name), { rollout: rollout('rolling'), status: 'rolling', ...more });
const waitingFor = (...reasons: readonly WaitingReason[]): Partial<ServiceState> => ({
  waiting: reasons.map((reason) => ({ reason, subject: '', since: 0, until: null, detail: 'something' })),
});

/** The old revision serves; the new one is set aside because of what it did. */
function failed(name: string, reason: string): StoredService {
  const desired = asked(name, NEW, { env: ['A=2'] });
  const quarantine = { digest: desired.digest, until: 1, reason };
  const before = state(asked(name, OLD), { quarantine, rollout: rollout('failed', { to: 2, reason }) });
  return { name, record: record(desired), state: before };
}

function problem(message: string, severity: Problem['severity'] = 'error'): Problem {
  return { file: 'web.dstack.yml', line: 3, column: 1, path: 'port', message, fix: 'Mend it.', severity };
}

function pending(reason: Pending['reason'], desired: DesiredService | null): Pending {
  const revision = desired?.revision ?? null;
  return {
    reason,
    commit: NEW,
    revision,
    since: 0,
    until: null,
    detail: '$3.07 now',
    ...(desired && { service: desired }),
  };
}

function told(services: readonly StoredService[], project: Project = AUTO): CommitReport {
  const report = reportsOf(project, services).find(({ commit }) => commit === project.commit);
  if (!report) throw new Error('nothing is told of the commit');
  return report;
}

const line = (services: readonly StoredService[], project?: Project) => {
  const { state: word, description } = told(services, project);
  return `${word}: ${description}`;
};

describe('a commit is', () => {
  const web = asked('web');
  test.each<[string, readonly StoredService[]]>([
    // A commit just read, before any pass has seen it.
    ['pending: 0 of 1 service done; web is rolling out', [stored(web, null)]],
    ['pending: 1 of 2 services done; web is rolling out', [done('api'), rolling('web')]],
    [
      'pending: 0 of 1 service done; web is rolling out',
      [rolling('web', waitingFor('start', 'drain', 'backoff'))],
    ],
    [
      'pending: 1 of 3 services done; web waits for capacity',
      [done('a'), rolling('b'), rolling('web', waitingFor('instance', 'capacity'))],
    ],
    [
      'pending: 0 of 1 service done; web waits for room for one more replica',
      [rolling('web', waitingFor('cannot-surge'))],
    ],
    ['pending: 0 of 1 service done; web is being removed', [{ ...done('web', OLD), record: null }]],
    ['pending: 0 of 1 service done; web is being removed', [stored(web, {}, record(web, { removed: true }))]],
    ['success: 2 services done', [done('api'), done('web')]],
    // What a commit did not touch, it does not count.
    ['success: 1 service done', [done('api', OLD), done('web')]],
    ['success: nothing left to do', [done('api', OLD), done('web', OLD)]],
    ['success: nothing left to do', []],
    // Found running when the store was lost: nothing was rolled out.
    ['success: 1 service done', [stored(web, { rollout: null })]],
    ['failure: web: 3 candidates ended', [failed('web', '3 candidates ended'), rolling('api')]],
    ['failure: a: it broke (and 1 more)', [failed('a', 'it broke'), failed('b', 'it broke too')]],
    ['failure: web: held', [stored(web, { rollout: rollout('failed', { reason: 'held' }) })]],
    ['failure: web: no replica has become ready', [rolling('web', { status: 'failed' })]],
    [
      'failure: web: not every replica has become ready',
      [rolling('web', { status: 'degraded', rollout: rollout('rolling', { exits: 3 }) })],
    ],
    [
      'pending: 0 of 1 service done; web waits for capacity',
      [rolling('web', { status: 'degraded', ...waitingFor('capacity') })],
    ],
    [
      'error: web.dstack.yml:3: no port',
      [failed('api', 'it broke'), stored(web, {}, record(null, { problems: [problem('no port')] }))],
    ],
    [
      'success: 1 service done',
      [stored(web, { rollout: rollout('done') }, record(web, { problems: [problem('odd', 'warning')] }))],
    ],
  ])('%s', (expected, services) => {
    expect(line(services)).toBe(expected);
  });

  test('pending while what it asks for is held back, in the same words whatever the price', () => {
    const held = (reason: Pending['reason']) =>
      line([stored(web, {}, record(web, { pending: pending(reason, asked('web', NEW, { env: ['A=2'] })) }))]);
    expect(held('budget')).toBe('pending: 0 of 1 service done; web waits for room in the budget');
    expect(held('window')).toBe('pending: 0 of 1 service done; web waits for its window');
    expect(held('deletion-budget')).toContain('web waits for room in the deletion budget');
  });

  test('pending while trueup.yml suspends what it changes, and not else', () => {
    const changed = asked('web', NEW, { env: ['A=2'] });
    const suspended = { ...done('web', OLD), record: record(changed, { suspended: true }) };
    expect(line([suspended])).toBe(
      'pending: 0 of 1 service done; web waits until trueup.yml no longer suspends it',
    );
    expect(line([stored(web, {}, record(web, { suspended: true }))])).toBe('success: 1 service done');
  });

  test('failed by what the last candidate of a first deployment did, without its name', () => {
    const failure = { replica: 'web-7', deployment: 1, at: 0, reason: 'exited with code 127', log: [] };
    expect(line([rolling('web', { status: 'failed', failures: [failure] })])).toBe(
      'failure: web: no replica has become ready; the last one exited with code 127',
    );
  });

  test('in error by what belongs to no service', () => {
    expect(line([done('web')], { ...AUTO, problems: [problem('the budget is no number')] })).toMatch(
      /^error: web/,
    );
  });

  test('done again once the revision that failed is taken back', () => {
    const { state: before, name } = failed('web', 'it broke');
    expect(line([{ name, record: record(asked('web', OLD)), state: before }])).toBe(
      'success: nothing left to do',
    );
  });

  test('not judged by how a service fares after its rollout', () => {
    const crashed = stored(web, {
      rollout: rollout('done'),
      status: 'failed',
      replicas: [],
      ...waitingFor('backoff'),
    });
    expect(line([crashed])).toBe('success: 1 service done');
  });
});

describe('a commit that waits for approval', () => {
  const web = asked('web', OLD);
  const changed = asked('web', NEW, { env: ['A=2'] });
  const waits = record(web, { pending: pending('approval', changed) });

  test('says so, and is not deployed yet', () => {
    const report = told([stored(web, { rollout: rollout('done') }, waits)], GATED);
    expect(report).toEqual({
      commit: NEW,
      state: 'pending',
      description: '0 of 1 service done; web waits for approval',
      deployment: null,
    });
    expect(told([], GATED).description).toBe('waits for approval');
  });

  test('leaves the one in force what it is', () => {
    const others = (services: readonly StoredService[]) =>
      reportsOf(GATED, services).find(({ commit }) => commit === OLD);
    const broken = record(web, { problems: [problem('no port')] });
    expect(others([stored(web, { rollout: rollout('done') }, waits)])?.state).toBe('success');
    expect(others([stored(web, { rollout: rollout('rolling') }, waits)])?.state).toBe('pending');
    expect(others([stored(web, { rollout: rollout('done') }, broken)])?.state).toBe('success');
    expect(others([stored(web, {}, record(null, { pending: pending('approval', changed) }))])?.state).toBe(
      'success',
    );
  });
});

describe('a deployment', () => {
  test.each<[CommitReport['deployment'], readonly StoredService[]]>([
    ['in_progress', [rolling('web')]],
    ['success', [done('web')]],
    ['failure', [failed('web', 'it broke')]],
    ['error', [stored(asked('web'), {}, record(null, { problems: [problem('no port')] }))]],
  ])('is %s with its commit', (expected, services) => {
    expect(told(services).deployment).toBe(expected);
  });

  test('of a commit that another one replaced is inactive, and the commit no longer pending', () => {
    expect(reportsOf(AUTO, [], [OLD, NEW, OLD]).filter(({ commit }) => commit === OLD)).toEqual([
      {
        commit: OLD,
        state: 'success',
        description: 'commit beefbeef took its place',
        deployment: 'inactive',
      },
    ]);
  });
});

describe('a description', () => {
  test('is one line, cut where GitHub would refuse it, with what follows kept', () => {
    const long = failed('web', `said\n\t\u202eevil\u0000 ${'x'.repeat(200)}`);
    const { description } = told([long, failed('b', 'broke')]);
    expect(description).toHaveLength(LONGEST);
    expect(description).toMatch(/^web: said evil x+… \(and 1 more\)$/);
  });

  test('is never cut inside of a character', () => {
    const { description } = told([failed('w', '🚀'.repeat(100))]);
    expect(description.isWellFormed()).toBe(true);
  });
});

test('nothing is told before a commit was read', () => {
  expect(reportsOf({ commit: null, problems: [] }, [])).toEqual([]);
});

test('a deployment that is newer than what is asked is no other answer', () => {
  const web = asked('web');
  const again = { ...deployment(web, 2), commit: OLD };
  const services = [
    stored(web, { deployments: [again], target: 2, good: 2, rollout: rollout('done', { to: 2 }) }),
  ];
  expect(line(services)).toBe('success: 1 service done');
});
