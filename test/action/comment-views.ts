// Views of comments for tests; everything defaulted but what matters.
import type { CommentView } from '../../action/view.ts';
import type { Change, GroupPlan, Plan, Price } from '../../schemas/plan.ts';

export const HEAD = 'be'.repeat(20);
const BASE = 'af'.repeat(20);

/** Now, after, and the most in between. */
export function price(now: number, steady: number, peak = Math.max(now, steady), steadyMax = steady): Price {
  return { now, steady, steadyMax, peak };
}

const CPU = {
  resources: { cpus: 2, arch: 'x86', memoryGib: 8, diskGib: 100, gpus: [] },
  spot: false,
  availability: 'available',
} as const;
const H100 = {
  resources: {
    cpus: 26,
    arch: 'x86',
    memoryGib: 225,
    diskGib: 1000,
    gpus: [{ name: 'H100', vendor: 'nvidia', memoryGib: 80 }],
  },
  spot: false,
  availability: 'available',
} as const;

export const CPU_OFFERS: GroupPlan['offers'] = [
  { ...CPU, backend: 'gcp', region: 'us-central1-a', instance: 'e2-standard-2', price: 0.067 },
  { ...CPU, backend: 'aws', region: 'us-east-1', instance: 't3.large', price: 0.0832 },
];
export const GPU_OFFERS: GroupPlan['offers'] = [
  {
    ...H100,
    backend: 'runpod',
    region: 'US-KS-2',
    instance: 'NVIDIA H100 80GB HBM3',
    price: 2.99,
    spot: true,
  },
  { ...H100, backend: 'lambda', region: 'us-south-1', instance: 'gpu_1x_h100_sxm5', price: 3.29 },
];

export function group(min = 1, max = min, overrides: Partial<GroupPlan> = {}): GroupPlan {
  const offers = overrides.offers ?? CPU_OFFERS;
  return {
    name: '0',
    replicas: { min, max },
    offers,
    totalOffers: offers.length,
    pricePerReplica: offers[0]?.price ?? null,
    price: (offers[0]?.price ?? 0) * min,
    excluded: [],
    ...overrides,
  };
}

export function update(service: string, overrides: Partial<Change> = {}): Change {
  return {
    service,
    change: 'update',
    how: ['replace'],
    reason: 'image changed, so replicas are replaced one by one',
    patch: [],
    fields: [
      {
        path: 'image',
        from: `ghcr.io/acme/${service}:1.4.2`,
        to: `ghcr.io/acme/${service}:1.5.0`,
        how: 'replace',
      },
    ],
    groups: [group()],
    price: price(0.067, 0.067, 0.134),
    ...overrides,
  };
}

export function create(service: string, overrides: Partial<Change> = {}): Change {
  const reason = `${service}.dstack.yml is new`;
  return update(service, {
    change: 'create',
    how: [],
    reason,
    fields: [],
    price: price(0, 0.067),
    ...overrides,
  });
}

export function remove(service: string, overrides: Partial<Change> = {}): Change {
  const reason = 'its file is gone';
  return update(service, {
    change: 'delete',
    how: [],
    reason,
    fields: [],
    groups: [],
    price: price(0.88, 0),
    ...overrides,
  });
}

export function keep(service: string, reason = 'unchanged'): Change {
  return update(service, { change: 'keep', how: [], reason, fields: [], price: price(0.067, 0.067) });
}

export function plan(changes: readonly Change[], overrides: Partial<Plan> = {}): Plan {
  const sum = (of: keyof Price) => changes.reduce((total, change) => total + change.price[of], 0);
  return {
    commit: HEAD,
    base: BASE,
    digest: '0123456789abcdef'.repeat(4),
    changes,
    price: {
      now: sum('now'),
      steady: sum('steady'),
      steadyMax: sum('steadyMax'),
      peak: Math.max(sum('now'), sum('steady'), sum('peak')),
    },
    deletions: changes.filter(({ change }) => change === 'delete').map(({ service }) => service),
    warnings: [],
    failures: [],
    prices: { source: 'live', date: null },
    problems: [],
    ...overrides,
  };
}

export function view(shown: Plan, overrides: Partial<CommentView> = {}): CommentView {
  return {
    project: 'main',
    path: '',
    plan: shown,
    head: HEAD,
    runUrl: 'https://github.com/acme/services/actions/runs/1234567890',
    at: '2026-06-01T12:00:00Z',
    life: { kind: 'planned' },
    notes: [],
    showLogs: true,
    ...overrides,
  };
}
