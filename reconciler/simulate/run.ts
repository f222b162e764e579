// Runs a scenario: the world as it says, everything that it says will happen at its time, and the story of it.
import type { Remark } from '../../schemas/findings.ts';
import { behavioursOf } from './behaviours.ts';
import { type VirtualClock, virtualClock } from './clock.ts';
import { cloudsOf } from './clouds.ts';
import { PROJECT } from './daemon.ts';
import { createDeaths } from './deaths.ts';
import { unmetIn } from './expect.ts';
import { createFailing } from './failing.ts';
import { createRecorder, type Lane, type MachineLane } from './recorder.ts';
import { createRepository } from './repository.ts';
import type { Scenario } from './scenario/read.ts';
import { EVERY_STEP } from './scenario/schema.ts';
import { scheduleAll } from './schedule.ts';
import { editionsOf, originOf, servicesOf } from './services.ts';
import { createStory, type Story, type StoryLine } from './story.ts';
import { straysOf } from './strays.ts';
import { type Summary, summaryOf } from './summary.ts';
import { type Spell, spellsOf } from './weather.ts';
import { openWorld, type World, type WorldOptions } from './world.ts';

export interface Outcome {
  readonly summary: Summary;
  readonly lanes: readonly Lane[];
  readonly machines: readonly MachineLane[];
  readonly spells: readonly Spell[];
  /** Ms from the beginning, of each death of the reconciler. */
  readonly deaths: readonly number[];
  /** What the scenario speaks of and no commit has. */
  readonly strays: readonly Remark[];
}

/** `tell` gets every line of the story as it happens. */
export async function runScenario(scenario: Scenario, tell: (line: StoryLine) => void): Promise<Outcome> {
  const { start, durationMs } = scenario;
  const clock = virtualClock(start);
  const notes: Notes = { violations: [], unmet: [], deaths: [], changedAt: new Map(), toldAt: new Map() };
  const story = createStory({ start, now: clock.now, tell: (line) => tell(noted(line, notes)) });
  const { world, backends, strays } = await openScenario(
    scenario,
    clock,
    witness(scenario, clock, story, notes),
    moment,
  );
  const clouds = [...backends.values()];
  const requestsOf = (service: string) => world.traffic.counts(`${PROJECT}/${service}`);
  const recorder = createRecorder(({ endpoint }) => world.isOpen(endpoint));
  const failing = createFailing(servicesWithTraffic(scenario), requestsOf, story);

  const record = () =>
    recorder.look(
      clock.now() - start,
      world,
      clouds.flatMap((cloud) => cloud.live()),
    );

  async function moment(hasMoved: boolean): Promise<void> {
    await story.catchUp(world.store);
    failing.look(clock.now());
    if (hasMoved) record();
  }

  const summarise = async (): Promise<Summary> =>
    summaryOf({
      records: await world.store.list(PROJECT),
      around: await world.store.around(PROJECT),
      recorder,
      movedAt: (service, isGone) => (isGone ? notes.toldAt : notes.changedAt).get(service) ?? 0,
      requestsOf,
      machines: clouds.flatMap((cloud) => cloud.machines()),
      leaked: world.rules.leaked().length,
      violations: notes.violations,
      unmet: notes.unmet,
      crashes: notes.deaths.length,
      seed: scenario.seed,
      start,
      now: clock.now(),
    });

  scheduleAll({ scenario, clock, world, backends, story });
  for (const atMs of stopsOf(scenario)) {
    while (clock.now() < start + (atMs ?? durationMs)) await world.moveTowards(start + (atMs ?? durationMs));
    record();
    const expected = scenario.expectations.filter((each) => each.atMs === atMs);
    const summary = expected.length > 0 ? await summarise() : null;
    for (const text of expected.flatMap(({ what }) => unmetIn(summary, what))) {
      notes.unmet.push(atMs === null ? text : `at ${atMs / 1000} s: ${text}`);
      story.add('expectation-failed', { reason: text });
    }
  }
  const spells = scenario.backends.flatMap(({ name, faults }) => spellsOf(name, faults, durationMs));
  return {
    summary: await summarise(),
    lanes: recorder.lanes(),
    machines: recorder.machines(),
    spells,
    deaths: notes.deaths,
    strays,
  };
}

// Private

/** What was noticed on the way. */
interface Notes {
  readonly violations: string[];
  readonly unmet: string[];
  readonly deaths: number[];
  /** When the status of a service last changed, and when anything was last told of it; seconds. */
  readonly changedAt: Map<string, number>;
  readonly toldAt: Map<string, number>;
}

async function openScenario(
  scenario: Scenario,
  clock: VirtualClock,
  hooks: Pick<WorldOptions, 'onRuleBroken' | 'onFailure' | 'onLife'>,
  onMoment: WorldOptions['onMoment'],
) {
  const { start, seed, behaviours, traffic, crashes } = scenario;
  const repository = createRepository(scenario.commits, start, clock.now);
  const services = servicesOf(scenario);
  const editions = await editionsOf(services, repository, scenario);
  const behaviourOf = behavioursOf({ seed, rules: behaviours, editions, newest: repository.newest });
  const backends = cloudsOf(scenario, clock, behaviourOf);
  const world: World = await openWorld({
    clock,
    backends,
    origin: originOf(services, repository, backends, scenario),
    flows: traffic.map(({ service, fromMs, toMs, rps, requestMs }) => ({
      key: `${PROJECT}/${service}`,
      from: start + fromMs,
      to: start + toMs,
      rps,
      requestMs,
    })),
    isSameMachine: true,
    deathAt: createDeaths(crashes, repository.newest).at,
    onMoment,
    ...hooks,
  });
  return { world, backends, strays: straysOf(scenario, editions) };
}

function witness(
  { start, crashes }: Scenario,
  clock: VirtualClock,
  story: Story,
  { violations, deaths }: Notes,
): Pick<WorldOptions, 'onRuleBroken' | 'onFailure' | 'onLife'> {
  const onRuleBroken = (service: string, text: string): void => {
    violations.push(`${service || 'the project'}, at ${Math.round((clock.now() - start) / 1000)} s: ${text}`);
    story.add('rule-broken', { service, reason: text });
  };
  return {
    onRuleBroken,
    onFailure(key, failure) {
      if (failure.kind === 'bug') onRuleBroken(key?.split('/')[1] ?? '', failure.message);
    },
    onLife(kind) {
      if (kind === 'crashed') deaths.push(clock.now() - start);
      if (crashes !== EVERY_STEP) story.add(`reconciler-${kind}`, {});
    },
  };
}

/** A decision that was not carried out because it broke a rule is told by the pass itself. */
function noted(line: StoryLine, { violations, changedAt, toldAt }: Notes): StoryLine {
  toldAt.set(line.service, line.t);
  if (CHANGES.has(line.event)) changedAt.set(line.service, line.t);
  const isBroken = line.event === 'failure' && line.reason?.includes('broke a rule');
  if (isBroken) violations.push(`${line.service}, at ${Math.round(line.t)} s: ${line.reason}`);
  return line;
}

const CHANGES: ReadonlySet<string> = new Set(['status', 'rollout-done']);

/** Where expectations are looked at, in order; at last the end. */
function stopsOf({ expectations, durationMs }: Scenario): (number | null)[] {
  const stops = expectations.flatMap(({ atMs }) => atMs ?? []).filter((atMs) => atMs <= durationMs);
  return [...[...new Set(stops)].toSorted((a, b) => a - b), null];
}

function servicesWithTraffic({ traffic }: Scenario): string[] {
  return [...new Set(traffic.map(({ service }) => service))];
}
