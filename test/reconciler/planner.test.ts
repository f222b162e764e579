// Plans by a server: of files and of the newest commit, against what is in its store.
import { afterEach, describe, expect, test } from 'vitest';
import { createPlanner, type PlannerOptions } from '../../reconciler/planner.ts';
import { createVault } from '../../reconciler/secrets.ts';
import { parseFile } from '../../reconciler/source/parse.ts';
import { type WantedOptions, wantedOf } from '../../reconciler/wanted.ts';
import type { DesiredRecord, DesiredService, Placement } from '../../schemas/desired.ts';
import type { DesiredFleet } from '../../schemas/fleet.ts';
import type { Offer } from '../../schemas/offer.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import { fleet, fleetState, H100, machine, volume, volumeState } from '../plan/around-samples.ts';
import { LOCAL, replica, service, state } from '../plan/samples.ts';
import { COMMIT, startWorld, type World } from './api-server.ts';

const OFFER: Offer = { ...LOCAL, backend: 'cloud', price: 3 };
const WEB = 'type: service\nname: web\nport: 8000\ncommands: [node app.js]\n';

const wanted: WantedOptions = {
  root: '',
  secrets: () => null,
  vault: createVault(Buffer.alloc(32, 7)),
  refusal: () => null,
  mountIds: async (paths) => new Map(paths.map((path) => [path, '040000:of-the-commit'])),
};

let world: World;
afterEach(() => world.close());

async function planner(overrides: Partial<PlannerOptions> = {}) {
  world = await startWorld();
  const market = async () => ({ offers: [OFFER], total: 1, excluded: [], failures: [] });
  return createPlanner({ store: world.store, wanted: () => wanted, market, ...overrides });
}

function files(...texts: readonly string[]) {
  return texts.map((text, index) => ({
    path: text.startsWith('type') ? `${index}.dstack.yml` : 'trueup.yml',
    text,
  }));
}

async function assembled(text: string): Promise<DesiredService> {
  const { desired } = await wantedOf(files(text), wanted);
  const [found] = desired.values();
  if (!found) throw new Error('not a service');
  return found;
}

function record(desired: DesiredService, more: Partial<DesiredRecord> = {}): DesiredRecord {
  return { service: desired, removed: false, problems: [], ...more };
}

describe('a plan of files', () => {
  test('prices what runs as it was bought, and what comes as it is sold', async () => {
    const plan = await planner();
    const web = await assembled(WEB);
    const replicas = [replica('web-0', { offer: { ...OFFER, price: 2 }, shape: web.shapes['0'] ?? '' })];
    await world.put('web', record(web), state(web, { replicas }));
    const changed = await plan('main', files(WEB.replace('app.js', 'b.js')));
    expect(changed.price).toEqual({ now: 2, steady: 3, steadyMax: 3, peak: 5 });
    expect(changed.changes[0]?.fields).toEqual([
      { path: 'commands[0]', from: 'node app.js', to: 'node b.js', how: 'replace' },
    ]);
  });

  test('says which backends are left out, and of which day its prices are', async () => {
    const failures = [{ backend: 'aws', message: 'it did not answer' }];
    const plan = await planner({
      market: () => ({ offers: [], total: 0, excluded: [], failures }),
      prices: () => ({ source: 'catalog', date: '2026-06-01' }),
    });
    const second = WEB.replace('name: web', 'name: api');
    expect(await plan('main', files(WEB, second))).toMatchObject({
      failures,
      prices: { source: 'catalog', date: '2026-06-01' },
    });
  });

  test('asks once for each different question', async () => {
    let asked = 0;
    const plan = await planner({
      market: () => {
        asked += 1;
        return { offers: [OFFER], total: 1, excluded: [], failures: [] };
      },
    });
    await plan(
      'main',
      files(WEB, WEB.replace('name: web', 'name: api'), `${WEB.replace('web', 'big')}max_price: 1\n`),
    );
    expect(asked).toBe(2);
  });

  test('takes what is mounted from who sends the files, and the rest from the commit', async () => {
    const text = `${WEB}files: [app, lib]\n`;
    const plan = await planner();
    const web = await assembled(text);
    await world.put('web', record(web), state(web));
    expect((await plan('main', files(text))).changes).toMatchObject([{ change: 'keep' }]);
    const sent = await plan('main', files(text), { app: `040000:${'a'.repeat(40)}` });
    expect(sent.changes).toMatchObject([{ change: 'update', how: ['replace'] }]);
    expect(sent.changes[0]?.reason).toContain('the content of app changed');
  });

  test('says what a service names that no file declares', async () => {
    const plan = await planner();
    const { problems } = await plan('main', files(`${WEB}fleets: [pool]\n`));
    expect(problems).toMatchObject([{ path: 'fleets[0]', line: 5, column: 10, severity: 'warning' }]);
  });

  test('is judged by the budget in force and by its own', async () => {
    const plan = await planner();
    const dear = await plan('main', files(WEB, 'budget: 1\n'));
    expect(dear.warnings).toMatchObject([{ kind: 'over-budget', service: 'web' }]);
    expect(dear.changes[0]?.hold).toMatchObject({ reason: 'budget', until: null });
    expect((await plan('main', files(WEB, 'budget: 4\n'))).changes[0]?.hold).toBeUndefined();
  });

  test('says what it changes of the policy, also where it changes no service', async () => {
    const plan = await planner();
    const web = await assembled(WEB);
    await world.put('web', record(web), state(web));
    const policies = { before: DEFAULT_POLICY, own: DEFAULT_POLICY };
    await world.putProject({ applied: COMMIT, policies });
    expect((await plan('main', files(WEB, 'budget: 9\nprune: false\n'))).warnings).toMatchObject([
      { kind: 'policy', service: '', message: 'trueup.yml changes `prune`, `budget`' },
    ]);
    expect((await plan('main', files(WEB))).warnings).toEqual([]);
  });

  test('says when what has a schedule starts', async () => {
    const plan = await planner();
    const daily = await plan('main', files(`${WEB}schedule: {cron: 0 8 * * *}\n`));
    expect(daily.changes[0]?.schedule).toMatch(/^starts by `0 8 \* \* \*` at .* 08:00 UTC, .*; nothing ends/);
  });

  test('where commits wait to be approved, says so', async () => {
    const plan = await planner({ applyOf: () => 'gated' });
    expect((await plan('main', files(WEB))).changes[0]?.hold).toMatchObject({ reason: 'approval' });
  });

  test('a window that is closed holds it back until it opens', async () => {
    const plan = await planner();
    const policy = 'windows:\n  - {kind: deny, schedule: "* * * * *", duration: 5m}\n';
    expect((await plan('main', files(WEB, policy))).changes[0]?.hold).toMatchObject({ reason: 'window' });
  });
});

describe('what is around services', () => {
  const POOL = 'type: fleet\nname: pool\nnodes: 2..3\nresources: {gpu: H100}\nregions: [us]\n';
  const MODELS = 'type: volume\nname: models\nbackend: aws\nregion: us\nsize: 100GB\n';
  const IN_POOL = `${WEB}fleets: [pool]\n`;
  /** Sells at another price in each region, and remembers what it was asked for. */
  const asked: Placement[] = [];
  const market: PlannerOptions['market'] = (_, placement) => {
    asked.push(placement);
    const all = [
      { ...H100, region: 'us', price: 3 },
      { ...H100, region: 'eu', price: 2 },
      { ...H100, backend: 'local', region: 'us', price: 0 },
    ];
    const isIn = ({ region, backend }: Offer) =>
      (placement.regions?.includes(region) ?? true) && (placement.backends?.includes(backend) ?? true);
    const offers = all.filter(isIn);
    return { offers, total: offers.length, excluded: [], failures: [] };
  };
  const lastingOf = () => ({ lasts: (backend: string) => backend !== 'local' });

  test('is made, priced beyond what services use, and where only lasting machines are sold', async () => {
    const plan = await planner({ market, lastingOf });
    const made = await plan('main', files(POOL, MODELS));
    expect(made.changes).toEqual([]);
    expect(made.around).toEqual([
      {
        kind: 'fleet',
        name: 'pool',
        change: 'create',
        text: '2 machines are kept, at most 3 at once; idle ones stay for 3d',
        price: { now: 0, steady: 6, steadyMax: 6, peak: 6 },
      },
      { kind: 'volume', name: 'models', change: 'create', text: '100 GB in aws (us)' },
    ]);
    expect(made.price).toEqual({ now: 0, steady: 6, steadyMax: 6, peak: 6 });
  });

  test('is compared with what is in force', async () => {
    const plan = await planner({ market, lastingOf });
    await world.putAround('fleet:old', fleet({ name: 'old' }), fleetState([machine(1)], { fleet: 'old' }));
    await world.putAround('volume:models', volume({ sizeGib: 50 }), volumeState(volume({ sizeGib: 50 })));
    await world.putAround('volume:data', volume({ name: 'data' }), volumeState(volume({ name: 'data' })));
    const { around = [], price } = await plan('main', files(POOL, MODELS));
    expect(around.map(({ kind, name, change }) => `${kind} ${name} ${change}`)).toEqual([
      'fleet old delete',
      'fleet pool create',
      'volume data keep',
      'volume models keep',
    ]);
    expect(around[2]?.text).toMatch(/^its file is gone; the volume stays/);
    expect(around[3]?.text).toMatch(/^it stays as it is/);
    expect(price).toMatchObject({ now: 2.5, steady: 6 });
  });

  test('says where a service may run: only as its fleet allows', async () => {
    const plan = await planner({ market, lastingOf });
    asked.length = 0;
    const { changes } = await plan('main', files(POOL, IN_POOL));
    expect(changes[0]?.groups[0]).toMatchObject({ offers: [{ backend: 'local' }, { price: 3 }] });
    expect(asked.every(({ fleets }) => fleets === null)).toBe(true);
    expect(asked.some(({ requirement, regions }) => requirement.gpu !== null && regions?.[0] === 'us')).toBe(
      true,
    );
  });

  test('lends its idle machines first, at no further cost', async () => {
    const plan = await planner({ market });
    const known = fleet({ nodes: { min: 1, target: 1, max: null } });
    await world.putAround('fleet:pool', known, fleetState([machine(1, { offer: { ...H100, price: 9 } })]));
    const text = 'type: fleet\nname: pool\nnodes: 1..\nidle_duration: 5m\n';
    const { changes, price } = await plan('main', files(text, IN_POOL));
    expect(changes[0]?.groups[0]?.offers[0]).toMatchObject({ price: 9, availability: 'idle', fleet: 'pool' });
    expect(price).toEqual({ now: 9, steady: 9, steadyMax: 9, peak: 9 });
  });

  test('says that a fleet which nobody declares keeps out every offer', async () => {
    const plan = await planner({ market });
    const { warnings, changes } = await plan('main', files(IN_POOL));
    expect(changes[0]?.groups[0]?.excluded).toEqual([{ requirement: 'fleets', rows: 3, nearest: '' }]);
    expect(warnings).toMatchObject([
      { kind: 'no-offer', service: 'web', fix: expect.stringMatching(/^Name a fleet that a file declares/) },
    ]);
  });

  test('keeps a service where its volume is', async () => {
    const plan = await planner({ market });
    const mounting = `${WEB}volumes: ["models:/models"]\n`;
    const { changes } = await plan('main', files(MODELS, mounting));
    expect(changes[0]?.groups[0]?.offers).toMatchObject([{ backend: 'aws', region: 'us' }]);
    const elsewhere = await plan('main', files(MODELS, `${mounting}regions: [eu]\n`));
    expect(elsewhere.changes[0]?.groups[0]).toMatchObject({
      offers: [],
      excluded: [{ requirement: 'volumes', rows: 1 }],
    });
  });

  test('is part of what the budget is compared with', async () => {
    const plan = await planner({ market, lastingOf });
    const hold = async (budget: number) =>
      (await plan('main', files(POOL, `${IN_POOL}backends: [aws]\n`, `budget: ${budget}\n`))).changes[0]?.hold
        ?.detail;
    expect(await hold(6)).toBeUndefined();
    expect(await hold(5)).toContain(
      'with $3.00/h for machines that fleets keep beside: $6.00/h wanted, $5.00/h allowed, $3.00/h now',
    );
  });

  test('that two files declare is a problem of the plan', async () => {
    const plan = await planner({ market });
    const { problems, around } = await plan('main', files(POOL, POOL));
    expect(problems.map(({ message }) => message)).toEqual([
      'the fleet `pool` is also declared by 1.dstack.yml',
      'the fleet `pool` is also declared by 0.dstack.yml',
    ]);
    expect(around).toBeUndefined();
  });

  test('of a commit that waits for approval is what that asks for, bound as in the plan of its files', async () => {
    const plan = await planner({ market, applyOf: () => 'gated' });
    const policies = { before: DEFAULT_POLICY, own: DEFAULT_POLICY };
    await world.putProject({ applied: 'a'.repeat(40), policies });
    const ahead = await plan('main', files(POOL));
    await world.putProject({
      applied: 'a'.repeat(40),
      policies,
      pending: { commit: COMMIT, since: 0, policy: DEFAULT_POLICY, around: { 'fleet:pool': fleetOf(POOL) } },
    });
    const waiting = await plan('main', null);
    expect(waiting.around).toEqual(ahead.around);
    expect(waiting.digest).toBe(ahead.digest);
    expect((await plan('main', files(POOL.replace('2..3', '2..9')))).digest).not.toBe(ahead.digest);
  });

  test('of a commit in force stays as it is', async () => {
    const plan = await planner({ market });
    await world.putProject({ applied: COMMIT });
    await world.putAround('fleet:pool', fleet(), fleetState([]));
    expect((await plan('main', null)).around).toMatchObject([{ change: 'keep', text: 'unchanged' }]);
  });
});

/** As a sync makes it of the file. */
function fleetOf(text: string): DesiredFleet {
  const { fleet: spec } = parseFile({ path: '0.dstack.yml', text }, { root: '', profiles: null });
  if (!spec) throw new Error('no fleet');
  return { file: '0.dstack.yml', commit: COMMIT, spec, problems: [] };
}

describe('a plan of the newest commit', () => {
  test('shows what waits as what is asked for', async () => {
    const plan = await planner({ applyOf: () => 'gated' });
    const [web, next] = [await assembled(WEB), await assembled(WEB.replace('app.js', 'b.js'))];
    const pending = { reason: 'approval', commit: COMMIT, revision: next.revision, service: next } as const;
    const waiting = record(web, { pending: { ...pending, since: 0, until: null, detail: 'wait' } });
    await world.put('web', waiting, state(web));
    await world.putProject({ applied: 'a'.repeat(40), pending: { commit: COMMIT, since: 0 } });
    expect(await plan('main', null)).toMatchObject({
      commit: COMMIT,
      base: 'a'.repeat(40),
      changes: [{ service: 'web', change: 'update', hold: { reason: 'approval' } }],
    });
  });

  test('says that there may be newer ones while the repository cannot be read', async () => {
    const plan = await planner();
    const web = await assembled(WEB);
    await world.put('web', record(web), state(web));
    const sourceFailure = { kind: 'transient', message: 'cannot read it', since: 0 } as const;
    await world.putProject({ commit: COMMIT, applied: COMMIT, sourceFailure });
    expect((await plan('main', null)).warnings).toMatchObject([
      {
        kind: 'source',
        service: '',
        message: 'cannot read it',
        fix: expect.stringContaining('1970-01-01T00:00:00Z'),
      },
    ]);
    expect((await plan('main', files(WEB))).warnings).toEqual([]);
  });

  test('is bound to the same as the plan of its files was', async () => {
    const plan = await planner();
    const [web, next] = [await assembled(WEB), await assembled(WEB.replace('app.js', 'b.js'))];
    await world.put('web', record(web), state(web));
    const ahead = await plan('main', files(WEB.replace('app.js', 'b.js')));
    await world.put('web', record(next), state(web));
    await world.putProject({ applied: COMMIT, policies: { before: DEFAULT_POLICY, own: DEFAULT_POLICY } });
    const committed = await plan('main', null);
    expect(committed.digest).toBe(ahead.digest);
    expect(committed.digest).toMatch(/^[0-9a-f]{64}$/);
    const other = await plan('main', files(WEB.replace('app.js', 'c.js')));
    expect(other.digest).not.toBe(ahead.digest);
  });

  test('knows a service by the name that its file gives it now', async () => {
    const plan = await planner();
    const [web, site] = [await assembled(WEB), await assembled(WEB.replace('name: web', 'name: site'))];
    const ahead = await (async () => {
      await world.put('web', record(web), state(web));
      return plan('main', files(WEB.replace('name: web', 'name: site')));
    })();
    await world.put('site', record(site), null);
    const renames = [{ from: 'web', to: 'site' }];
    await world.putProject({
      applied: COMMIT,
      renames,
      policies: { before: DEFAULT_POLICY, own: DEFAULT_POLICY },
    });
    const committed = await plan('main', null);
    expect(committed.changes).toMatchObject([{ service: 'site', change: 'rename', from: 'web' }]);
    expect(committed.digest).toBe(ahead.digest);
  });

  test('a file that does not parse keeps its service, whatever it is called by now', async () => {
    const plan = await planner();
    const web = { ...service('web'), file: '0.dstack.yml' };
    await world.put('web', record(web), state(web));
    const broken = await plan('main', files('type: service\nname: other\nport: eighty\n'));
    expect(broken).toMatchObject({ deletions: [], changes: [{ service: 'web', change: 'keep' }] });
  });
});
