// The pass that finds nothing to do, over many services, next to the store alone and to `terraform plan`.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Postgres, startPostgres } from '../postgres.ts';
import { type Entry, median, type Outcome, type Row, ratiosOf } from './figures.ts';
import { familyMb } from './machine.ts';
import type { Job, Report } from './one-pass.ts';
import { prepareTerraform, type Terraform, terraformVersion } from './terraform.ts';

const SIZES = [1_000, 10_000];
/** Each a process that makes `PASSES` measured passes, followed by one plan of terraform's. */
const ROUNDS = 3;
const PASSES = 2;

export const passEntry: Entry = {
  name: 'pass',
  title: 'A pass that finds nothing to do',
  async run(say) {
    const dir = mkdtempSync(join(tmpdir(), 'trueup-bench-'));
    const postgres = await startPostgres();
    try {
      const outcomes: Outcome[] = [];
      for (const services of SIZES) outcomes.push(await measure(services, postgres, dir, say));
      return {
        rows: outcomes.flatMap(({ rows }) => rows),
        notes: [...new Set(outcomes.flatMap(({ notes }) => notes))],
      };
    } finally {
      await postgres.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

// Private

interface Round {
  readonly report: Report;
  readonly terraform: { readonly ms: number; readonly peakMb: number } | null;
}

async function measure(
  services: number,
  postgres: Postgres,
  dir: string,
  say: (text: string) => void,
): Promise<Outcome> {
  const count = services.toLocaleString('en-US');
  say(`${count} services: filling Postgres`);
  const where = await postgres.create();
  const job: Job = { store: 'postgres', where, services, passes: 0, fill: true };
  await runJob(job);
  const terraform = prepareTerraform(join(dir, `terraform-${services}`), services);
  const rounds: Round[] = [];
  for (let i = 1; i <= ROUNDS; i += 1) {
    say(`${count} services: round ${i} of ${ROUNDS}`);
    rounds.push(await round(job, terraform));
  }
  const serverMb = familyMb('postgres');
  say(`${count} services: PGlite and memory`);
  const pglite: Job = { ...job, store: 'pglite', where: join(dir, `pglite-${services}`) };
  await runJob(pglite);
  const others = [
    await runJob({ ...pglite, passes: PASSES, fill: false }),
    await runJob({ ...job, store: 'memory', where: '', passes: PASSES }),
  ] as const;
  return outcomeOf(count, rounds, serverMb, others);
}

async function round(job: Job, terraform: Terraform | null): Promise<Round> {
  const report = await runJob({ ...job, passes: PASSES, fill: false });
  return { report, terraform: terraform && (await terraform.plan()) };
}

async function runJob(job: Job): Promise<Report> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, JSON.stringify(job)]);
  const report = JSON.parse(stdout) as Report;
  if (report.written > 0 || report.events > 0)
    throw new Error(`there was something to do: ${report.written} states, ${report.events} events written`);
  return report;
}

const PROGRAM = fileURLToPath(new URL('one-pass.ts', import.meta.url));

function outcomeOf(
  count: string,
  rounds: readonly Round[],
  serverMb: number,
  [pglite, memory]: readonly [Report, Report],
): Outcome {
  const passes = rounds.map(({ report }) => median(report.passes));
  const floors = rounds.map(({ report }) => median(report.floors));
  const peaks = rounds.map(({ report }) => report.peakMb);
  const plans = rounds.flatMap(({ terraform }) => terraform ?? []);
  const planMs = plans.map(({ ms }) => ms);
  const planMb = plans.map(({ peakMb }) => peakMb);
  const rows: Row[] = [
    { what: `${count}: store alone (Postgres)`, unit: 'ms', samples: floors },
    { what: '  the pass, Postgres', unit: 'ms', samples: passes, ratios: ratiosOf(passes, floors) },
    { what: '  the pass, PGlite', unit: 'ms', samples: pglite.passes },
    { what: '  the pass, in memory', unit: 'ms', samples: memory.passes },
    { what: '  peak memory, Postgres', unit: 'MB', samples: peaks },
    { what: "    the server's, afterwards", unit: 'MB', samples: [serverMb] },
    { what: '  peak memory, PGlite in it', unit: 'MB', samples: [pglite.peakMb] },
  ];
  if (plans.length === 0) return { rows, notes: ['terraform was left out: it is not on this machine.'] };
  const more: Row[] = [
    { what: '  terraform plan', unit: 'ms', samples: planMs, ratios: ratiosOf(planMs, passes) },
    { what: '    its peak memory', unit: 'MB', samples: planMb, ratios: ratiosOf(planMb, peaks) },
  ];
  const note = `Ratios: the pass to the store alone; ${terraformVersion()} to the pass on Postgres, round by round.`;
  return { rows: [...rows, ...more], notes: [note] };
}
