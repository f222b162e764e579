// A plan of files says what the plan of their commit says, whatever was asked for, approved and rolled out before: else
// no commit could be approved by the plan that was read ahead of it. On a real repository, with the real sync.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decide } from '../../reconciler/plan/decide.ts';
import { createPlanner, type Planner } from '../../reconciler/planner.ts';
import { createVault } from '../../reconciler/secrets.ts';
import { readMountIds } from '../../reconciler/source/content.ts';
import { openSource, type Source } from '../../reconciler/source/git.ts';
import { openMemory } from '../../reconciler/store/memory.ts';
import type { Store } from '../../reconciler/store/store.ts';
import { createSync } from '../../reconciler/sync.ts';
import type { DesiredRecord } from '../../schemas/desired.ts';
import type { Plan } from '../../schemas/plan.ts';
import { makeRepo, temporaryFolder } from '../git.ts';
import { LOCAL } from '../plan/samples.ts';

const COMMITS = 12;

test.each((process.env.AG ?? '3,4,6').split(',').map(Number))(
  'random commits, seed %i',
  { timeout: 120_000 },
  async (seed) => {
    const random = randomFrom(seed);
    const folder = temporaryFolder();
    const repo = makeRepo(join(folder.dir, 'repo'));
    repo.commit({ 'aa.dstack.yml': fileOf('aa', ''), 'data.txt': '1' });
    const source = await openSource({ repo: repo.dir, dir: join(folder.dir, 'mirror') });
    const { store, secrets, plan, pass } = await startProject(source);
    for (let commit = 0; commit < COMMITS; commit += 1) {
      const changed = randomChanges(random, repo.dir);
      if (random() < 0.1) secrets.set('TOKEN', String(random()));
      if (Object.keys(changed).length === 0) continue;
      repo.commit(changed);
      await source.fetch();
      const ahead = await plan('main', filesIn(repo.dir));
      await pass();
      const committed = await plan('main', null);
      expect(saidOf(committed), JSON.stringify(changed)).toEqual(saidOf(ahead));
      if (random() < 0.5) await approve(store, (await source.fetch()).commit);
      await pass();
      if (random() < 0.6) await settle(store);
    }
    await source.close();
    folder.remove();
  },
);

/** With errors in it, no plan can be approved: then it is enough that both have some. */
function saidOf({ digest, changes, deletions, price, warnings, problems }: Plan) {
  const isBroken = problems.some(({ severity }) => severity === 'error');
  return isBroken ? 'errors' : { digest, changes, deletions, price, warnings };
}

async function startProject(source: Source) {
  const store = openMemory();
  const secrets = new Map([['TOKEN', 'first']]);
  const common = {
    secrets: (name: string) => secrets.get(name) ?? null,
    vault: createVault(Buffer.alloc(32, 7)),
    refusal: () => null,
  };
  const sync = createSync({
    ...common,
    project: 'main',
    source,
    store,
    apply: 'gated',
    approved: async (project) => (await store.approval(project))?.commit ?? null,
    priceOfMachine: async () => 0,
    priceOf: async ({ groups }) => ({
      steadyMax: groups.reduce((sum, { replicas }) => sum + replicas.max, 0),
    }),
    pollMs: 30_000,
    random: () => 0.5,
    boundary() {},
  });
  const plan: Planner = createPlanner({
    store,
    applyOf: () => 'gated',
    market: () => ({ offers: OFFERS, total: 1, excluded: [], failures: [] }),
    wanted: () => ({
      ...common,
      root: '',
      mountIds: async (paths) => readMountIds(source, (await source.fetch()).commit, paths),
    }),
  });
  await store.ensureProject('main');
  const pass = async () => store.settle([await sync(await claim(store, 'main'))]);
  await pass();
  return { store, secrets, plan, pass };
}

async function claim(store: Store, key: string) {
  await store.wake([key]);
  const request = { holder: 'here', machine: 'here', limit: 1, leaseMs: 30_000, keys: [key] };
  const [claimed] = await store.claim(request);
  if (!claimed) throw new Error(`${key} cannot be claimed`);
  return claimed;
}

function approve(store: Store, commit: string): Promise<void> {
  return store.approve('main', { commit, plan: 'one', by: 'somebody', at: 0 }, []);
}

const OFFERS = [{ ...LOCAL, price: 1 }];

/** Every service runs what is in force of it. */
async function settle(store: Store): Promise<void> {
  const records = (await store.list('main')).filter(({ service }) => service !== '');
  for (const { key, service } of records) {
    const { lease, record } = await claim(store, key);
    const desired = record.desired as DesiredRecord | null;
    const groups = (desired?.service?.spec.groups ?? []).map(
      ({ name }) => [name, { kind: 'offers', offers: OFFERS }] as const,
    );
    const actual = {
      replicas: {},
      offers: Object.fromEntries(groups),
      probes: {},
      published: -1,
      inflight: {},
    };
    const { state } = decide({ project: 'main', service, desired, state: null, actual, now: 0 });
    const ready = { phase: 'ready', everReady: true } as const;
    const settled = state?.target
      ? {
          ...state,
          replicas: state.replicas.map((each) => ({ ...each, ...ready })),
          good: state.target,
          rollout: null,
        }
      : null;
    await store.settle([{ lease, state: settled, wakeAt: null, events: [], release: true }]);
  }
}

// The repository

const NAMES = ['aa', 'bb', 'cc', 'dd', 'ee'];
const BODIES = [
  '',
  'env: [A=1]\n',
  'env: [A=2, TOKEN]\n',
  'files: [data.txt]\n',
  'replicas: 3\n',
  'replicas: 0..2\nscaling: {metric: rps, target: 3}\n',
  'max_price: 2\n',
  'model: m\n',
];
const POLICIES = [
  'budget: 1000\n',
  'budget: 2\n',
  'prune: false\n',
  'prune: {allow: [cc]}\n',
  'rollout: {surge: 2}\n',
  'suspend: {services: [aa]}\n',
  'deletion_budget: 1\n',
  'windows: [{schedule: "* * * * *", duration: 1h, kind: deny, services: [bb]}]\n',
];
const BROKEN = ['type: service\nname: [\n', fileOf('aa', ''), 'type: task\ncommands: [x]\n'];

function fileOf(name: string, body: string): string {
  return `type: service\nname: ${name}\nport: 8000\ncommands: [node app.js]\n${body}`;
}

/** Up to three of: a file written, removed, renamed or broken, mounted content, another policy. */
function randomChanges(random: () => number, dir: string): Record<string, string | null> {
  const pick = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)] as Item;
  const present = readdirSync(dir).filter((name) => name.endsWith('.yml'));
  const changed: Record<string, string | null> = {};
  const pathOf = (name: string) => `${name}.dstack.yml`;
  const rename = (from: string | undefined, to: string) => {
    if (!from?.endsWith('.dstack.yml') || present.includes(pathOf(to))) return;
    changed[pathOf(to)] = readFileSync(join(dir, from), 'utf8').replace(/name: \w+/, `name: ${to}`);
    changed[from] = null;
  };
  const write = (name: string) => {
    changed[pathOf(name)] = fileOf(name, pick(BODIES));
  };
  const name = () => pick(NAMES);
  const moves: (() => void)[] = [
    () => write(name()),
    () => write(name()),
    () => present.length > 0 && Object.assign(changed, { [pick(present)]: null }),
    () => rename(pick(present), name()),
    () => Object.assign(changed, { 'data.txt': String(random()) }),
    () => Object.assign(changed, { 'trueup.yml': pick(POLICIES) }),
    () => Object.assign(changed, { [pathOf(name())]: pick(BROKEN) }),
  ];
  for (let count = Math.floor(random() * 3); count >= 0; count -= 1) pick(moves)();
  return changed;
}

function filesIn(dir: string) {
  const names = readdirSync(dir).filter((name) => name.endsWith('.yml'));
  return names.map((path) => ({ path, text: readFileSync(join(dir, path), 'utf8') }));
}

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
