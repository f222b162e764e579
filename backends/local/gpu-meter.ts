// How busy the GPUs of this machine are. They are shared by all replicas here, so each is told of all of them.
import { execFile } from 'node:child_process';

/** The last measurement, in percent for each GPU; undefined: there is none, or it is too old. */
export type GpuMeter = () => readonly number[] | undefined;

/** Measures in the background, as often as it is asked but no more often than this. */
const EVERY_MS = 5_000;
const STALE_MS = 60_000;

export function createGpuMeter(hasGpus: boolean): GpuMeter {
  let last: { readonly at: number; readonly percents: readonly number[] } | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;

  const measure = () => {
    askedAt = performance.now();
    execFile('nvidia-smi', QUERY, { timeout: 10_000 }, (error, stdout) => {
      const percents = error ? [] : percentsOf(stdout);
      if (percents.length > 0) last = { at: performance.now(), percents };
    });
  };
  return () => {
    if (!hasGpus) return undefined;
    const now = performance.now();
    if (now - askedAt >= EVERY_MS) measure();
    return last && now - last.at < STALE_MS ? last.percents : undefined;
  };
}

// Private

const QUERY = ['--query-gpu=utilization.gpu', '--format=csv,noheader,nounits'];

/** A GPU that cannot tell says `[N/A]`: then nothing is known of any. */
function percentsOf(text: string): readonly number[] {
  const cells = text.split('\n').filter((line) => line.trim() !== '');
  const percents = cells.map(Number);
  return percents.every(Number.isFinite) ? percents : [];
}
