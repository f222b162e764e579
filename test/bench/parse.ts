// Reading configuration beside the YAML library alone, and the way from nothing to 10,000 desired services beside what
// git and the YAML library take for it.
import { execFile, execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeRepo, temporaryFolder } from '../git.ts';
import { type Postgres, startPostgres } from '../postgres.ts';
import { type Entry, median, perSecond, type Row, ratiosOf } from './figures.ts';
import { filesOf, GENERATED, type Kind } from './files.ts';
import type { Pass, Reading } from './one-read.ts';
import type { Stages, Start } from './one-start.ts';

/** Each a process of its own for the library, and one for trueup. */
const ROUNDS = 5;
/** Over the files, in one process: the first is cold, the later half warm. */
const PASSES: { readonly [kind in Kind]: number } = { real: 12, generated: 4 };
const STARTS = 3;

export const parseEntry: Entry = {
  name: 'parse',
  title: 'Reading configuration',
  async run(say) {
    const real = filesOf('real').length;
    const rows = [
      ...(real > 0 ? await readingRows('real', `${real} real files`, real, say) : []),
      ...(await readingRows('generated', `${number(GENERATED)} generated`, GENERATED, say)),
      ...(await startRows(say)),
    ];
    return { rows, notes: real > 0 ? [NOTE] : [NOTE, 'Real files were left out: there are none here.'] };
  },
};

// Private

const NOTE =
  'Files per second of processor time, milliseconds by the clock. Ratios, round by round: reading, to the YAML library alone on the same files; a start, to git and the YAML library one after the other.';

// Private: reading

interface Compared {
  readonly alone: number;
  readonly ours: number;
}

async function readingRows(
  kind: Kind,
  what: string,
  files: number,
  say: (text: string) => void,
): Promise<Row[]> {
  const rounds: { readonly cold: Compared; readonly warm: Compared }[] = [];
  for (let i = 1; i <= ROUNDS; i += 1) {
    say(`${what}: round ${i} of ${ROUNDS}`);
    const [alone, ours] = [
      await readingOf('yaml', kind, PASSES[kind]),
      await readingOf('trueup', kind, PASSES[kind]),
    ];
    rounds.push({
      cold: { alone: alone.first.processor, ours: ours.first.processor },
      warm: { alone: alone.warm, ours: ours.warm },
    });
  }
  return [
    ...pairOf(
      what,
      '  trueup',
      files,
      rounds.map(({ cold }) => cold),
    ),
    ...pairOf(
      '  once warm',
      '  once warm: trueup',
      files,
      rounds.map(({ warm }) => warm),
    ),
  ];
}

function pairOf(what: string, own: string, files: number, times: readonly Compared[]): Row[] {
  const [alone, ours] = [times.map((each) => each.alone), times.map((each) => each.ours)];
  return [
    { what: `${what}: YAML alone`, unit: '/s', samples: perSecond(files, alone) },
    { what: own, unit: '/s', samples: perSecond(files, ours), ratios: ratiosOf(ours, alone) },
  ];
}

/** `warm` leaves out the passes that still made the code fast. */
async function readingOf(
  reader: Reading['reader'],
  kind: Kind,
  passes: number,
): Promise<{ readonly first: Pass; readonly warm: number }> {
  const times = await runOne<Reading, readonly Pass[]>('one-read.ts', { reader, kind, passes });
  const [first] = times;
  if (first === undefined) throw new Error('nothing was read');
  return { first, warm: median(times.slice(times.length / 2).map(({ processor }) => processor)) };
}

// Private: from nothing to desired state

async function startRows(say: (text: string) => void): Promise<Row[]> {
  const place = temporaryFolder();
  const postgres = await startPostgres();
  try {
    say(`a repository of ${number(GENERATED)} services`);
    const repo = join(place.dir, 'repo');
    makeRepo(repo).commit(Object.fromEntries(filesOf('generated').map(({ path, text }) => [path, text])));
    const starts: StartRound[] = [];
    for (let i = 1; i <= STARTS; i += 1) {
      say(`${number(GENERATED)} services from nothing: round ${i} of ${STARTS}`);
      starts.push(await startRound(repo, join(place.dir, `round-${i}`), postgres));
      rmSync(join(place.dir, `round-${i}`), { recursive: true });
    }
    return rowsOf(starts);
  } finally {
    await postgres.stop();
    place.remove();
  }
}

interface StartRound {
  readonly git: number;
  readonly yaml: number;
  readonly pglite: Stages;
  readonly postgres: Stages;
}

async function startRound(repo: string, dir: string, postgres: Postgres): Promise<StartRound> {
  const start = (store: Start['store'], where: string) =>
    runOne<Start, Stages>('one-start.ts', { store, where, repo, dir: join(dir, store), services: GENERATED });
  return {
    git: gitAlone(repo, join(dir, 'alone')),
    yaml: (await readingOf('yaml', 'generated', 1)).first.clock,
    pglite: await start('pglite', join(dir, 'db')),
    postgres: await start('postgres', await postgres.create()),
  };
}

/** Everything git does for it: fetches the commit, lists its files, gives their bytes. */
function gitAlone(repo: string, dir: string): number {
  const started = performance.now();
  const git = (args: readonly string[], input = '') =>
    execFileSync('git', args, { input, encoding: 'utf8', maxBuffer: 1 << 30, stdio: 'pipe' });
  git(['clone', '--quiet', '--bare', '--depth=1', `file://${repo}`, dir]);
  const files = git(['-C', dir, 'ls-tree', '-r', '-l', 'HEAD']).trimEnd().split('\n');
  const ids = files.map((file) => file.split(' ')[2] ?? '');
  git(['-C', dir, 'cat-file', '--batch'], `${ids.join('\n')}\n`);
  return performance.now() - started;
}

function rowsOf(rounds: readonly StartRound[]): Row[] {
  const git = rounds.map((round) => round.git);
  const yaml = rounds.map((round) => round.yaml);
  const floor = git.map((ms, i) => ms + (yaml[i] ?? Number.NaN));
  return [
    { what: `${number(GENERATED)} services: git alone`, unit: 'ms', samples: git },
    { what: '  YAML alone', unit: 'ms', samples: yaml },
    ...stageRows(
      'PGlite',
      rounds.map(({ pglite }) => pglite),
      floor,
    ),
    ...stageRows(
      'Postgres',
      rounds.map(({ postgres }) => postgres),
      floor,
    ),
  ];
}

function stageRows(store: string, stages: readonly Stages[], floor: readonly number[]): Row[] {
  const totals = stages.map(({ stored }) => stored);
  const row = (what: string, ms: (stages: Stages) => number): Row => ({
    what,
    unit: 'ms',
    samples: stages.map(ms),
  });
  return [
    { what: `  start → desired, ${store}`, unit: 'ms', samples: totals, ratios: ratiosOf(totals, floor) },
    row('    process, store, clone made', ({ opened }) => opened),
    row('    fetched', ({ opened, fetched }) => fetched - opened),
    row('    read, resolved, sealed', ({ fetched, read }) => read - fetched),
    row('    stored', ({ read, stored }) => stored - read),
  ];
}

// Private: processes

async function runOne<Job, Report>(program: string, job: Job): Promise<Report> {
  const file = fileURLToPath(new URL(program, import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [file, JSON.stringify(job)]);
  return JSON.parse(stdout) as Report;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
