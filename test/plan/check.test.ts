// Each rule of the checker against a decision that breaks it, and nothing else.
import { describe, expect, test } from 'vitest';
import { check } from '../../reconciler/plan/check.ts';
import type { Decision, DecisionInput } from '../../reconciler/plan/decide.ts';
import type { Actual, ReplicaFact, SuccessorFact } from '../../schemas/actual.ts';
import type { Replica, ServiceState } from '../../schemas/rollout.ts';
import { deployment, group, LOCAL, replica, service, state } from './samples.ts';

const NOW = 1_000_000;
const two = group({ replicas: { min: 2, max: 2 } });
const web = service('web', {}, { groups: [two] });
const shape = web.shapes['0'] ?? '';
const endpoint = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;
const at = (name: string, more: Partial<Replica> = {}) => replica(name, { shape, endpoint, ...more });
const one = at('web-1');
const other = at('web-2');
const route = (...names: readonly string[]): NonNullable<ServiceState['route']> => ({
  project: 'main',
  service: 'web',
  version: 1,
  auth: true,
  stripPrefix: true,
  model: null,
  replicas: names.map((name) => ({ name, group: '0', endpoint })),
});
const calm = state(web, { replicas: [one, other], lastReplica: 2, route: route('web-1', 'web-2') });

const present = (name: string, more: Partial<Replica> = {}): ReplicaFact => ({
  kind: 'present',
  process: { kind: 'running', startedAt: 0, listening: true, endpoint, detail: '' },
  instance: {
    id: name,
    backend: 'local',
    region: 'local',
    instance: 'local',
    status: 'running',
    tags: {
      owner: 'me',
      project: 'main',
      service: 'web',
      group: '0',
      replica: name,
      attempt: 1,
      shape,
      deployment: 1,
      ...more,
    },
    pricePerHour: 0,
    createdAt: 0,
  },
});

interface Case {
  readonly before?: Partial<ServiceState>;
  readonly after?: Partial<ServiceState> | null;
  readonly facts?: Actual['replicas'];
  readonly successor?: Actual['successor'];
  readonly steps?: Decision['steps'];
}

function broken({ before = {}, after = {}, facts = {}, steps = [], successor }: Case): string[] {
  const actual: Actual = {
    replicas: { 'web-1': present('web-1'), 'web-2': present('web-2'), ...facts },
    offers: {},
    probes: {},
    published: 1,
    inflight: {},
    ...(successor && { successor }),
  };
  const input: DecisionInput = {
    project: 'main',
    service: 'web',
    desired: { service: web, removed: false, problems: [] },
    state: { ...calm, ...before },
    actual,
    now: NOW,
  };
  const next = after && { ...calm, ...before, ...after };
  return check(input, { state: next, steps, events: [], wakeAt: NOW });
}

const waiting: ServiceState['waiting'] = [
  { reason: 'drain', subject: '', since: 0, until: null, detail: '' },
];
/** What a service is called now: so many of its two replicas are ready, the last of them only in a moment. */
const site = (ready: number, more: Partial<SuccessorFact> = {}): SuccessorFact => ({
  service: 'site',
  unavailable: 0,
  failingUntil: 0,
  short: 0,
  groups: { '0': { wanted: 2, short: 0, beside: 0, standInAt: [...Array(ready - 1).fill(0), NOW + 1] } },
  ...more,
});
const sent: Case['after'] = {
  replicas: [one, { ...other, phase: 'draining' }],
  route: route('web-1'),
  waiting,
};
const another = deployment(service('web', { v: 2 }, { groups: [two] }), 2);

const CASES: readonly (readonly [rule: string, found: RegExp, found: Case])[] = [
  [
    'a name is there once',
    /web-1 is there twice/,
    { after: { replicas: [one, other, one], lastReplica: 3 } },
  ],
  [
    'a number is never used again',
    /web-0 takes a number/,
    { after: { replicas: [one, other, at('web-0')] } },
  ],
  [
    'nothing is forgotten that may be there',
    /web-2 is forgotten/,
    { after: { replicas: [one], route: route('web-1'), waiting } },
  ],
  ['nor with the service', /web-1 is forgotten/, { before: { replicas: [one] }, after: null }],
  [
    'a replica is not moved by a decision',
    /web-1 is moved/,
    { after: { replicas: [{ ...one, attempt: 2 }, other] } },
  ],
  [
    'nor to another offer',
    /web-1 is moved/,
    { after: { replicas: [{ ...one, offer: { ...LOCAL, backend: 'cloud' } }, other] } },
  ],
  [
    'counts stay in their bounds',
    /is to have 3, not 2 to 2/,
    { after: { scale: { '0': { count: 3, since: 0 } } } },
  ],
  [
    'there are no more than the count and the surge',
    /grows to 4, above 3/,
    { after: { replicas: [one, other, at('web-3'), at('web-4')], lastReplica: 4 } },
  ],
  [
    'no ready one is sent away below the floor',
    /keeps 1 of at least 2 while 1 ready/,
    { after: { replicas: [one, { ...other, phase: 'draining' }], route: route('web-1'), waiting } },
  ],
  [
    'nor below that of the count which traffic asks for',
    /keeps 2 of at least 3 while 1 ready/,
    {
      before: {
        deployments: [deployment(service('web', {}, { groups: [group({ replicas: { min: 1, max: 4 } })] }))],
        scale: { '0': { count: 3, since: 0 } },
        replicas: [one, other, at('web-3')],
        lastReplica: 3,
      },
      after: {
        replicas: [one, other, at('web-3', { phase: 'draining' })],
        route: route('web-1', 'web-2'),
        waiting,
      },
    },
  ],
  [
    'nor is one that served, while others do not answer either',
    /keeps 1 of at least 2 while 1 unready/,
    {
      before: {
        replicas: [at('web-1', { phase: 'unready' }), at('web-2', { phase: 'unready' })],
        route: route(),
      },
      after: { replicas: [at('web-1', { phase: 'unready' }), at('web-2', { phase: 'draining' })], waiting },
    },
  ],
  [
    'nor by those of its new name that do not stand for it yet',
    /keeps 1 of at least 2 while 1 ready/,
    { after: sent, successor: site(1) },
  ],
  [
    'nor by those of a new name that does not start',
    /keeps 1 of at least 2 while 1 ready/,
    { after: sent, successor: site(2, { failingUntil: NOW + 1 }) },
  ],
  [
    'what has served is drained before it is stopped',
    /web-3 is stopped without being drained/,
    {
      before: { replicas: [one, other, at('web-3')], lastReplica: 3 },
      after: { replicas: [one, other, at('web-3', { phase: 'stopping' })], waiting },
      facts: { 'web-3': present('web-3') },
    },
  ],
  [
    'what is quarantined is not aimed at',
    /deployment 2 is what is quarantined/,
    {
      before: { quarantine: { digest: web.digest, until: NOW + 1, reason: '' } },
      after: { target: 2, deployments: [deployment(web), { ...another, digest: web.digest }], waiting },
    },
  ],
  [
    'nor made more of',
    /web-3 is made of what is quarantined/,
    {
      before: { quarantine: { digest: web.digest, until: NOW + 1, reason: '' } },
      after: { replicas: [one, other, at('web-3', { phase: 'creating' })], lastReplica: 3, waiting },
    },
  ],
  [
    'routes are of what exists',
    /web-9 is routed but does not exist/,
    { after: { route: route('web-1', 'web-9') } },
  ],
  [
    'and was ready once',
    /web-3 is routed but was never ready/,
    {
      after: {
        replicas: [one, other, at('web-3', { everReady: false, phase: 'probing' })],
        lastReplica: 3,
        route: route('web-1', 'web-3'),
        waiting,
      },
    },
  ],
  [
    'and is not on its way out',
    /web-3 is routed while it is draining/,
    {
      before: { replicas: [one, other, at('web-3', { phase: 'draining' })], lastReplica: 3, waiting },
      after: { route: route('web-1', 'web-3') },
      facts: { 'web-3': present('web-3') },
    },
  ],
  ['and are never empty while one is ready', /nothing is routed/, { after: { route: route() } }],
  [
    'what cannot be seen is left alone',
    /stop of web-1, which cannot be seen/,
    {
      facts: { 'web-1': { kind: 'unknown', reason: 'the cloud is down' } },
      steps: [{ kind: 'stop', id: 'x', replica: 'web-1', reason: '' }],
    },
  ],
  [
    'and so is what is tagged as somebody else’s',
    /terminate of web-1, whose instance is web's web-7/,
    {
      facts: { 'web-1': present('web-7') },
      steps: [{ kind: 'terminate', id: 'x', replica: 'web-1', reason: '' }],
    },
  ],
  [
    'what is not as asked has a step or a reason',
    /not converged/,
    { after: { replicas: [one, at('web-2', { phase: 'unready' })] } },
  ],
];

describe('the checker', () => {
  for (const [rule, found, what] of CASES) {
    test(`sees to it that ${rule}`, () => {
      expect(broken(what)).toEqual([expect.stringMatching(found)]);
    });
  }

  test('has nothing to say about what is fine', () => {
    expect(broken({})).toEqual([]);
    expect(broken({ after: sent, successor: site(2) })).toEqual([]);
    expect(broken({ after: sent, successor: site(1, { unavailable: 1 }) })).toEqual([]);
  });

  test('does not mind what the world did', () => {
    const gone = { ...other, phase: 'terminating' as const };
    const fact: ReplicaFact = {
      ...present('web-2'),
      kind: 'present',
      process: { kind: 'exited', code: 1, signal: null, at: 0, detail: '', log: [] },
    } as ReplicaFact;
    const after = { replicas: [one, gone], route: route('web-1'), waiting };
    expect(broken({ after, facts: { 'web-2': fact } })).toEqual([]);
    expect(
      broken({
        after: { replicas: [one], route: route('web-1'), waiting },
        facts: { 'web-2': { kind: 'missing' } },
      }),
    ).toEqual([]);
  });
});
