// Numbers as people read them: medians with their spread, ratios of what was measured side by side.

/** One line of a table. */
export interface Row {
  /** At most 33 columns. */
  readonly what: string;
  readonly unit: 'ms' | 'MB' | '/s' | '';
  /** One for each repeat. */
  readonly samples: readonly number[];
  /** Against what the line names itself; one for each repeat that both had. */
  readonly ratios?: readonly number[];
}

/** What one entry measured. */
export interface Outcome {
  readonly rows: readonly Row[];
  /** Sentences below the table: what was skipped and why, what must be known to read it. */
  readonly notes: readonly string[];
}

export interface Entry {
  readonly name: string;
  readonly title: string;
  /** `say` tells what is going on, for who waits. */
  run(say: (text: string) => void): Promise<Outcome>;
}

export const WIDTH = 80;

export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  if (low === undefined || high === undefined) throw new Error('no samples');
  return (low + high) / 2;
}

/** Repeat by repeat: what happened to both at one time counts for both. */
export function ratiosOf(of: readonly number[], to: readonly number[]): number[] {
  return of.slice(0, to.length).map((value, i) => value / (to[i] ?? Number.NaN));
}

/** How many a second, from the milliseconds that all of them took; one for each repeat. */
export function perSecond(count: number, times: readonly number[]): number[] {
  return times.map((ms) => (count / ms) * 1000);
}

/** At most `WIDTH` columns. */
export function table({ rows, notes }: Outcome): string {
  const head = line(['', 'median', 'min … max', 'ratio']);
  const lines = [head, '-'.repeat(WIDTH), ...rows.map((row) => line(cellsOf(row)))];
  return [...lines, ...notes.flatMap(wrapped)].join('\n');
}

// Private

type Cells = readonly [what: string, median: string, spread: string, ratio: string];

function cellsOf({ what, unit, samples, ratios }: Row): Cells {
  const suffix = unit === '' ? '' : ` ${unit}`;
  const ratio = ratios === undefined ? '' : `${short(median(ratios))}× ${spreadOf(ratios)}`;
  return [what, `${short(median(samples))}${suffix}`, spreadOf(samples), ratio];
}

function spreadOf(samples: readonly number[]): string {
  return samples.length < 2 ? '' : `${short(Math.min(...samples))} … ${short(Math.max(...samples))}`;
}

/** Three digits: more would be noise. */
function short(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(Math.abs(value) >= 10 ? 3 : 2)));
}

function line([what, middle, spread, ratio]: Cells): string {
  return `${what.padEnd(33)}${middle.padStart(11)}${` ${spread}`.padStart(17)}  ${ratio}`.trimEnd();
}

function wrapped(note: string): string[] {
  const lines = [''];
  for (const word of note.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last.length + word.length + 1 > WIDTH) lines.push(`  ${word}`);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}
