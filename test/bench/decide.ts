// The decision alone, by how many replicas it is about; and ten thousand services over simulated minutes.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { check } from '../../reconciler/plan/check.ts';
import { type DecisionInput, decide } from '../../reconciler/plan/decide.ts';
import type { DesiredService } from '../../schemas/desired.ts';
import { service } from '../plan/samples.ts';
import { live } from '../simulation/random-worlds.ts';
import { web } from '../simulation/services.ts';
import { type Entry, perSecond, type Row } from './figures.ts';
import { convergedState, fineWorld } from './services.ts';
import type { SteadyReport } from './steady.ts';

const SIZES = [1, 100, 1_000];
const REPEATS = 5;
/** Long enough for the compiler to be done, and for the clock to tell. */
const MEASURED_MS = 400;
const SERVICES = 10_000;
const MINUTES = 5;
const WORLDS = 40;

export const decideEntry: Entry = {
  name: 'decide',
  title: 'The decision, and a day of ten thousand services',
  async run(say) {
    const rows: Row[] = [];
    for (const size of SIZES) rows.push(...decisionRows(size, say));
    say(`${SERVICES.toLocaleString('en-US')} services, ${MINUTES} simulated minutes`);
    const steady = await runSteady();
    const worlds = await worldRow(say);
    return { rows: [...rows, ...steadyRows(steady), worlds], notes: notesOf(steady) };
  },
};

// Private

function decisionRows(size: number, say: (text: string) => void): Row[] {
  const count = size.toLocaleString('en-US');
  say(`decisions about ${count} replicas`);
  const [one, two] = [named(web('one', size)), named(web('two', size))];
  const still = inputOf(one, one);
  const moving = inputOf(one, two);
  return [
    { what: `${count} replicas: nothing to do`, unit: '/s', samples: rates(still) },
    { what: '  a rollout begins', unit: '/s', samples: rates(moving) },
  ];
}

/** As the other measurements call theirs. */
function named(desired: DesiredService): DesiredService {
  return {
    ...service('service-0'),
    ...desired,
    name: 'service-0',
    spec: { ...desired.spec, name: 'service-0' },
  };
}

/** The moment at which what runs as `from` asks is asked to be `to`. */
function inputOf(from: DesiredService, to: DesiredService): DecisionInput {
  const start = Date.parse('2026-01-01T00:00:00Z');
  const record = (desired: DesiredService) => ({ service: desired, removed: false, problems: [] });
  const state = convergedState(record(from), start);
  const now = state.observedAt + 1_000;
  return {
    project: 'main',
    service: 'service-0',
    desired: record(to),
    state,
    actual: fineWorld(state, now),
    now,
  };
}

function rates(input: DecisionInput): number[] {
  const pass = () => {
    const broken = check(input, decide(input));
    if (broken.length > 0) throw new Error(broken.join('; '));
  };
  timesIn(MEASURED_MS, pass);
  return Array.from({ length: REPEATS }, () => timesIn(MEASURED_MS, pass));
}

/** How often a second. */
function timesIn(ms: number, act: () => void): number {
  const startedAt = performance.now();
  let times = 0;
  while (performance.now() - startedAt < ms) {
    act();
    times += 1;
  }
  return (times / (performance.now() - startedAt)) * 1000;
}

async function runSteady(): Promise<SteadyReport> {
  const script = fileURLToPath(new URL('steady.ts', import.meta.url));
  const job = JSON.stringify({ services: SERVICES, minutes: MINUTES, changingPercent: 1 });
  const { stdout } = await promisify(execFile)(process.execPath, [script, job], { maxBuffer: 2 ** 24 });
  return JSON.parse(stdout) as SteadyReport;
}

function steadyRows({ minutes, peakMb }: SteadyReport): Row[] {
  const count = SERVICES.toLocaleString('en-US');
  const cpu = minutes.map(({ cpuMs }) => cpuMs);
  return [
    { what: `${count} services: CPU a minute`, unit: 'ms', samples: cpu },
    {
      what: '  simulated minutes',
      unit: '/s',
      samples: perSecond(
        1,
        minutes.map(({ wallMs }) => wallMs),
      ),
    },
    { what: '  peak memory', unit: 'MB', samples: [peakMb] },
  ];
}

async function worldRow(say: (text: string) => void): Promise<Row> {
  const samples: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    say(`random worlds: ${repeat + 1} of ${REPEATS}`);
    const startedAt = performance.now();
    let minutes = 0;
    for (let seed = 0; seed < WORLDS; seed++) minutes += (await live(calmWorld(seed))).minutes;
    samples.push((minutes / (performance.now() - startedAt)) * 1000);
  }
  return { what: 'campaign: simulated minutes', unit: '/s', samples };
}

/** Always the same stories, so that two measurements are of one thing. */
function calmWorld(seed: number): Parameters<typeof live>[0] {
  const commits = Array.from({ length: 5 }, (_, i) => [
    { kind: 'commit' as const, version: (seed * 7 + i * 3) % 40 },
    { kind: 'wait' as const, ms: 120_000 },
  ]);
  return { seed, clouds: ['local', 'slow'], traffic: 'steady', happenings: commits.flat() };
}

function notesOf({ services, changes, passes, minutes }: SteadyReport): string[] {
  const simulated = minutes.length;
  return [
    `In ${simulated} simulated minutes ${changes} of ${services} services got a new version: ${passes} passes.`,
    'Everything counts: loop, store in memory, observation, decision, checker, probes.',
  ];
}
