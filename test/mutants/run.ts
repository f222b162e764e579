// `npm run mutants [-- WORDS…] [-- --jobs N]`: plants one bug after the other in a copy of the tree, and runs the tests
// that are to find it. Fails when one survives, when a patch no longer fits, or when the tests fail without any bug.
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MUTANTS, type Mutant } from './list.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const COPIED = ['schemas', 'reconciler', 'backends', 'proxy', 'action', 'test', 'docs', 'examples'];
const COPIED_FILES = [
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
  'README.md',
  'BENCHMARKS.md',
  'biome.json',
];
/** A bug may make a test loop for ever. What takes long without one, on a busy machine, is given longer. */
const PATIENCE_MS = 120_000;
const SOUND_PATIENCE_MS = 600_000;
const soundMs = new Map<string, number>();

type Killer = Mutant['killedBy'][number];

type Verdict =
  | { readonly kind: 'killed'; readonly by: string }
  | { readonly kind: 'survived' }
  /** The patch does not fit the file, or what it makes does not load. */
  | { readonly kind: 'broken'; readonly why: string };

interface Report {
  readonly numFailedTests: number;
  readonly numPassedTests: number;
  readonly success: boolean;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

const { values, positionals } = parseArgs({
  options: { jobs: { type: 'string', default: String(Math.min(4, availableParallelism())) } },
  allowPositionals: true,
});
process.exitCode = await main();

async function main(): Promise<number> {
  const chosen = MUTANTS.filter((mutant) => positionals.every((word) => nameOf(mutant).includes(word)));
  const jobs = Math.max(1, Math.min(Number(values.jobs), chosen.length));
  const trees = await Promise.all(Array.from({ length: jobs }, copyTree));
  try {
    const failing = await inParallel(trees, killersOf(chosen), async (tree, killer) => {
      const startedAt = performance.now();
      const verdict = await run(tree, killer, SOUND_PATIENCE_MS);
      soundMs.set(killer[0], performance.now() - startedAt);
      if (verdict.kind !== 'survived') say(`${killer[0]} fails without any bug${textOf(verdict)}`, 1);
      return verdict.kind !== 'survived';
    });
    if (failing.includes(true)) return 1;
    const verdicts = await inParallel(trees, chosen, judged);
    const survivors = verdicts.filter(({ kind }) => kind !== 'killed').length;
    return say(
      `\n${chosen.length - survivors} of ${chosen.length} mutants are killed`,
      survivors === 0 ? 0 : 1,
    );
  } finally {
    await Promise.all(trees.map((tree) => rm(tree, { recursive: true, force: true })));
  }
}

async function copyTree(): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), 'trueup-mutants-'));
  for (const name of [...COPIED, ...COPIED_FILES])
    await cp(join(ROOT, name), join(tree, name), { recursive: true }).catch(() => {});
  await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  return tree;
}

/** Each file once, with all names that are asked of it. */
function killersOf(mutants: readonly Mutant[]): Killer[] {
  const byFile = Map.groupBy(
    mutants.flatMap(({ killedBy }) => killedBy),
    ([file]) => file,
  );
  return [...byFile].map(([file, killers]) => {
    const names = killers.map(([, name]) => name);
    return names.includes(undefined) ? [file] : [file, names.join('|')];
  });
}

async function inParallel<Item, Result>(
  trees: readonly string[],
  items: readonly Item[],
  act: (tree: string, item: Item) => Promise<Result>,
): Promise<Result[]> {
  const waiting = [...items];
  const results: Result[] = [];
  const work = async (tree: string): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results.push(await act(tree, next));
  };
  await Promise.all(trees.map(work));
  return results;
}

async function judged(tree: string, mutant: Mutant): Promise<Verdict> {
  const startedAt = performance.now();
  const verdict = await tryOne(tree, mutant);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(5);
  say(`${verdict.kind.padEnd(8)} ${seconds} s  ${nameOf(mutant)}${textOf(verdict)}`, 0);
  return verdict;
}

async function tryOne(tree: string, { file, from, to, killedBy }: Mutant): Promise<Verdict> {
  const path = join(tree, file);
  const sound = await readFile(path, 'utf8');
  const places = sound.split(from).length - 1;
  if (places !== 1) return { kind: 'broken', why: `the patch fits ${file} ${places} times` };
  await writeFile(
    path,
    sound.replace(from, () => to),
  );
  try {
    for (const killer of killedBy) {
      const patienceMs = Math.max(PATIENCE_MS, Math.ceil(3 * (soundMs.get(killer[0]) ?? 0)));
      const verdict = await run(tree, killer, patienceMs);
      if (verdict.kind !== 'survived') return verdict;
    }
    return { kind: 'survived' };
  } finally {
    await writeFile(path, sound);
  }
}

async function run(tree: string, [file, name]: Killer, patienceMs: number): Promise<Verdict> {
  const report = join(tree, 'report.json');
  await rm(report, { force: true });
  const args = [
    'run',
    file,
    ...(name ? ['-t', name] : []),
    '--bail=1',
    '--reporter=json',
    `--outputFile=${report}`,
  ];
  const child = spawn(process.execPath, [join(ROOT, 'node_modules/vitest/vitest.mjs'), ...args], {
    cwd: tree,
    stdio: 'ignore',
    timeout: patienceMs,
    killSignal: 'SIGKILL',
  });
  await new Promise((resolve) => child.on('close', resolve));
  const text = await readFile(report, 'utf8').catch(() => null);
  if (text === null) return { kind: 'killed', by: 'it never came to an end' };
  const { numFailedTests, numPassedTests, success, testResults }: Report = JSON.parse(text);
  if (numFailedTests > 0) {
    const failed = testResults.flatMap(({ assertionResults }) => assertionResults);
    return { kind: 'killed', by: failed.find(({ status }) => status === 'failed')?.fullName ?? '?' };
  }
  if (success && numPassedTests > 0) return { kind: 'survived' };
  const why = testResults.map(({ message }) => message).find((message) => message !== '');
  return { kind: 'broken', why: why?.split('\n')[0] ?? 'no test ran' };
}

function nameOf({ against, bug }: Mutant): string {
  return `${against}: ${bug}`;
}

function textOf(verdict: Verdict): string {
  if (verdict.kind === 'survived') return '';
  return verdict.kind === 'killed'
    ? `\n                  by ${verdict.by}`
    : `\n                  ${verdict.why}`;
}

function say(text: string, code: number): number {
  console.log(text);
  return code;
}
