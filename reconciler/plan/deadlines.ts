// How long each stage of a new replica may take. Only observed time counts.
import type { ServiceSpec } from '../../schemas/desired.ts';
import type { Offer } from '../../schemas/offer.ts';
import type { Replica } from '../../schemas/rollout.ts';

export interface Deadline {
  readonly ms: number;
  /** What was not done in time, for `did not … within 10 min`. */
  readonly words: string;
  /** Whose fault it is: the cloud's, which only delays, or that of what was asked for. */
  readonly isWorlds: boolean;
}

/** null: in its present stage it may take as long as it likes. */
export function deadlineOf(replica: Replica, spec: ServiceSpec): Deadline | null {
  const { phase, offer } = replica;
  const { policy } = spec;
  if (phase === 'probing') return { ms: readyMsOf(spec), words: 'become ready', isWorlds: false };
  if (phase !== 'creating' && phase !== 'starting') return null;
  switch (phase === 'creating' ? 'provision' : (replica.stage ?? 'start')) {
    case 'provision': {
      const ms = policy.provisionMs ?? provisionMs(offer);
      return { ms, words: 'get a machine that answers', isWorlds: true };
    }
    case 'pull':
      return { ms: policy.pullMs ?? PULL_MS, words: 'get its image', isWorlds: true };
    case 'start':
      return { ms: policy.startMs, words: 'open its port', isWorlds: false };
  }
}

/** A file whose `ready_after` cannot be met in time at all is not asking for a failure: it has that time on top. */
export function readyMsOf({ policy: { readyMs }, probes }: ServiceSpec): number {
  const least = Math.max(0, ...probes.map(({ readyAfter, intervalMs }) => (readyAfter - 1) * intervalMs));
  return least < readyMs ? readyMs : readyMs + least;
}

/**
 * How long an instance that `create` gave no answer about may stay hidden from `list`. Until it has been missing for as
 * long, it may be there.
 */
export function hiddenMs({ backend }: Offer): number {
  return backend === 'local' ? 0 : 60_000;
}

/** Past `stop_duration`, what was sent SIGKILL and is still there is ended with its machine. */
export const STOP_GRACE_MS = 60_000;

/** How long a machine may take until it answers, where no policy says. */
export function provisionMs({ backend, instance }: Offer): number {
  const known = PROVISION.find(([name, type]) => name.test(backend) && type.test(instance));
  return (known?.[2] ?? 10) * MINUTE;
}

// Private

const MINUTE = 60_000;

/** An image for a large model has tens of gigabytes; dstack sets no limit at all. */
const PULL_MS = 60 * MINUTE;

/** dstack's figures, by backend and what instances are called there; the first that fits. */
const PROVISION: readonly (readonly [backend: RegExp, instance: RegExp, minutes: number])[] = [
  [/^lambda$/, /./, 30],
  [/^(runpod|kubernetes|slurm)$/, /./, 20],
  [/^oci$/, /^BM\./, 20],
  [/^vultr$/, /^vbm/, 55],
  [/^gcp$/, /^a4-highgpu-8g$/, 16],
];
