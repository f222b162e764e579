// Each rule of the fleet's checker against a decision that breaks it, and nothing else.
import { describe, expect, test } from 'vitest';
import { checkFleet } from '../../reconciler/plan/fleet/check.ts';
import type { FleetDecision } from '../../reconciler/plan/fleet/decide.ts';
import type { FleetActual, FleetInput, GuestFact } from '../../reconciler/plan/fleet/facts.ts';
import type { ProcessOwner, ReplicaFact } from '../../schemas/actual.ts';
import type { DesiredFleet, FleetState, Machine } from '../../schemas/fleet.ts';
import { IDLE_POOL_SPEC } from '../../schemas/fleet-spec.ts';
import { SMALL } from './fleet-drive.ts';

const NOW = 1_000_000;

const machine = (number: number, more: Partial<Machine> = {}): Machine => ({
  name: `pool-m${number}`,
  number,
  attempt: 1,
  phase: 'ready',
  offer: SMALL,
  instance: `i-${number}`,
  guest: null,
  keepMs: null,
  idleSince: 0,
  stageMs: 0,
  leaving: '',
  createdAt: 0,
  tries: 0,
  retryAt: 0,
  detail: '',
  ...more,
});
const web = { service: 'web', replica: 'web-1', attempt: 1 };
const used = (number: number, more: Partial<Machine> = {}) =>
  machine(number, { guest: web, idleSince: null, ...more });
const stays: GuestFact = { ...web, offer: SMALL, wish: 'staying', keepMs: null, priority: 0, since: 0 };

const present = (name: string): ReplicaFact => ({
  kind: 'present',
  process: { kind: 'absent' },
  instance: {
    id: name,
    backend: 'cloud',
    region: 'here',
    instance: 'small',
    status: 'running',
    tags: {
      owner: 'me',
      project: 'main',
      service: 'fleet:pool',
      group: '',
      replica: name,
      attempt: 1,
      shape: '',
      deployment: 0,
    },
    pricePerHour: 1,
    createdAt: 0,
  },
});

interface Case {
  readonly before?: readonly Machine[];
  /** null: no record is left. */
  readonly after?: readonly Machine[] | null;
  readonly facts?: FleetActual['machines'];
  readonly guests?: readonly GuestFact[];
  readonly nodes?: DesiredFleet['spec']['nodes'];
  readonly steps?: FleetDecision['steps'];
  readonly waiting?: FleetState['waiting'];
  readonly wakeAt?: number;
}

function broken({ before = [used(1), machine(2)], ...found }: Case): string[] {
  const { after = before, facts = {}, guests = [stays], steps = [], waiting = [], wakeAt = NOW + 1 } = found;
  const { nodes = { min: 0, target: 0, max: 3 } } = found;
  const state: FleetState = {
    format: 1,
    project: 'main',
    fleet: 'pool',
    lastMachine: 2,
    firstAttempt: 1,
    isBegun: true,
    machines: before,
    refusals: [],
    setAside: [],
    observedAt: 0,
    waiting: [],
  };
  const input: FleetInput = {
    project: 'main',
    fleet: 'pool',
    desired: { file: '', commit: '', spec: { ...IDLE_POOL_SPEC, name: 'pool', nodes }, problems: [] },
    state,
    actual: {
      found: [],
      machines: { 'pool-m1': present('pool-m1'), 'pool-m2': present('pool-m2'), ...facts },
      offers: null,
      guests,
    },
    now: NOW,
  };
  const next = after && { ...state, machines: after, waiting };
  return checkFleet(input, { state: next, steps, events: [], wakeAt });
}

const waits: FleetState['waiting'] = [{ reason: 'instance', subject: '', since: 0, until: null, detail: '' }];
const step = (kind: 'create' | 'clear' | 'terminate', name: string, of?: ProcessOwner) => [
  { kind, id: `${name}/1/${kind}`, machine: name, reason: '', ...(of && { of }) },
];

const CASES: readonly (readonly [rule: string, found: RegExp, found: Case])[] = [
  ['a machine that may be there is not forgotten', /pool-m2 is forgotten/, { after: [used(1)] }],
  ['nobody has two machines', /somebody has two machines/, { after: [used(1), used(2)] }],
  ['a machine is there once', /a machine is there twice/, { after: [used(1), machine(2), machine(2)] }],
  [
    'a number is never used again',
    /pool-m1 takes a number that was used before/,
    {
      before: [machine(2)],
      after: [machine(2), machine(1, { phase: 'creating' })],
      waiting: waits,
      guests: [],
    },
  ],
  [
    'a machine is not moved',
    /pool-m2 is moved/,
    { after: [used(1), machine(2, { offer: { ...SMALL, region: 'there' } })] },
  ],
  [
    'what is used is not ended',
    /pool-m1 is ended while web-1 runs on it/,
    { after: [used(1, { phase: 'ending' }), machine(2)], waiting: waits },
  ],
  [
    'what is used is not taken from who uses it',
    /pool-m1 is taken from web-1/,
    { after: [machine(1), machine(2)] },
  ],
  [
    'it does not grow above its bound',
    /grows to 3 machines, above 2/,
    {
      after: [used(1), machine(2), machine(3, { phase: 'creating' })],
      nodes: { min: 0, target: 0, max: 2 },
      waiting: waits,
    },
  ],
  [
    'what cannot be seen is not touched',
    /terminate of pool-m2, which cannot be seen/,
    {
      after: [used(1), machine(2, { phase: 'ending' })],
      facts: { 'pool-m2': { kind: 'unknown', reason: '' } },
      steps: step('terminate', 'pool-m2'),
    },
  ],
  ['what is used is not cleared', /pool-m1 is cleared of web-1/, { steps: step('clear', 'pool-m1') }],
  [
    'what is used is not cleared by the name of who uses it',
    /pool-m1 is cleared of web-1/,
    { steps: step('clear', 'pool-m1', { replica: 'web-1', attempt: 1 }) },
  ],
  [
    'what is another’s is not touched',
    /terminate of pool-m2, whose instance is pool-m1/,
    {
      after: [used(1), machine(2, { phase: 'ending' })],
      facts: { 'pool-m2': present('pool-m1') },
      steps: step('terminate', 'pool-m2'),
    },
  ],
  [
    'it is never stuck without a word: a machine that moves',
    /no step is taken and nothing is waited for/,
    { after: [used(1), machine(2, { phase: 'clearing' })] },
  ],
  [
    'it is never stuck without a word: one that is missing',
    /no step is taken and nothing is waited for/,
    { nodes: { min: 3, target: 3, max: 3 } },
  ],
  ['it does not look again at once, for ever', /look again at once/, { wakeAt: NOW }],
];

test.each(CASES)('%s', (_, text, found) => {
  expect(broken(found)).toEqual([expect.stringMatching(text)]);
});

describe('nothing is wrong with', () => {
  const FINE: readonly (readonly [what: string, found: Case])[] = [
    ['a fleet that stays as it is', {}],
    [
      'a machine that is dropped when it is gone',
      { after: [used(1)], facts: { 'pool-m2': { kind: 'missing' } } },
    ],
    ['ending what nobody uses', { after: [used(1), machine(2, { phase: 'ending' })], waiting: waits }],
    [
      'taking back what was given back',
      { after: [machine(1), machine(2)], guests: [{ ...stays, wish: 'done' }] },
    ],
    [
      'clearing away what is in the way of who has it',
      { steps: step('clear', 'pool-m1', { replica: 'api-9', attempt: 1 }) },
    ],
    ['taking back what nobody claims', { after: [machine(1), machine(2)], guests: [] }],
    ['being above a bound that was lowered', { nodes: { min: 0, target: 0, max: 1 } }],
  ];
  test.each(FINE)('%s', (_, found) => {
    expect(broken(found)).toEqual([]);
  });
});
