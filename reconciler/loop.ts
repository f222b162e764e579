// The keyed work queue: claims due keys, runs a pass for each, writes the ends in batches, and is the only timer.
// Events do nothing but make a key due. A key is never worked on twice at once: the store's lease sees to that.
import { asFailure, type Failure } from '../schemas/errors.ts';
import type { Clock } from './clock.ts';
import { backoffMs } from './plan/backoff.ts';
import type { Claim, Lease, Settlement, Store } from './store/store.ts';

export interface Loop {
  /** Begins to claim. Keys may be woken before. */
  start(): void;
  /** Makes keys due now; many calls in a row become one write. */
  wake(key: string): void;
  /** Takes no new key, waits for the passes under way, gives all leases back. */
  stop(): Promise<void>;
}

export interface LoopOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Who claims; shown to people. */
  readonly holder: string;
  readonly machine: string;
  /** Only keys of these are claimed: others may be another reconciler's. Absent: of all. */
  readonly projects?: readonly string[];
  /** One pass. What it throws is a failure of that key alone. */
  readonly pass: (claim: Claim) => Promise<Settlement>;
  /** A pass or the store failed. */
  readonly onFailure: (key: string | null, failure: Failure) => void;
  /** The store answers again. */
  readonly onRecovery: () => void;
}

export const LEASE_MS = 30_000;
const RENEW_MS = 10_000;
/** Keys worked on at once. A pass mostly waits for others; a claim costs one round trip for all of them. */
const BATCH = 256;
/** Look at least this often, in case a notification was lost. */
const IDLE_MS = 15_000;
const STORE_RETRY_MS = 500;

/** The lease of a pass under way, as it was last renewed. */
interface Held {
  lease: Lease;
  /** The store's clock less ours: at least, for the answer to the claim took its time. */
  readonly aheadMs: number;
}

export function createLoop({
  store,
  clock,
  holder,
  machine,
  projects,
  pass,
  onFailure,
  onRecovery,
}: LoopOptions): Loop {
  const active = new Map<string, Held>();
  const crashes = new Map<string, number>();
  const ended: { settlement: Settlement; deadline: number }[] = [];
  const woken = new Set<string>();
  let isStarted = false;
  let isStopped = false;
  let isDown = false;
  let isPumping = false;
  let isAgain = false;
  let cancelTimer = () => {};

  async function guarded<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      const result = await work();
      if (isDown) onRecovery();
      isDown = false;
      return result;
    } catch (error) {
      if (!isDown) onFailure(null, asFailure(error));
      isDown = true;
      return null;
    }
  }

  function schedule(ms: number): void {
    cancelTimer();
    if (!isStopped) cancelTimer = clock.after(ms, () => void pump());
  }

  function retrySoon(): false {
    schedule(STORE_RETRY_MS);
    return false;
  }

  /** Writes what has ended, marks what was woken, claims what is due; then sleeps until something is. */
  async function pump(): Promise<void> {
    isAgain = true;
    if (isPumping || !isStarted) return;
    isPumping = true;
    while (isAgain) {
      isAgain = false;
      const isFine = (await settleEnded()) && (await writeWakes()) && (isStopped || (await claimDue()));
      if (!isFine) break;
    }
    isPumping = false;
  }

  async function settleEnded(): Promise<boolean> {
    if (ended.length === 0) return true;
    const batch = takeDistinct(ended);
    const lost = await guarded(() => store.settle(batch.map(({ settlement }) => settlement)));
    if (lost) {
      for (const { settlement } of batch) for (const key of settlement.wakes ?? []) woken.add(key);
      return ended.length === 0 || settleEnded();
    }
    // The lease still guards the write, so trying again is safe for as long as it may be ours.
    ended.push(...batch.filter(({ deadline }) => clock.now() < deadline));
    return retrySoon();
  }

  async function writeWakes(): Promise<boolean> {
    if (woken.size === 0) return true;
    const keys = [...woken];
    woken.clear();
    if ((await guarded(() => store.wake(keys).then(() => true))) === true) return true;
    for (const key of keys) woken.add(key);
    return retrySoon();
  }

  async function claimDue(): Promise<boolean> {
    const limit = BATCH - active.size;
    if (limit <= 0) return true;
    const sentAt = clock.now();
    const claims = await guarded(() =>
      store.claim({ holder, machine, ...(projects ? { projects } : {}), limit, leaseMs: LEASE_MS }),
    );
    if (!claims) return retrySoon();
    // However long the answer took, so much of the lease may be gone.
    const lateMs = Math.round(clock.now() - sentAt);
    for (const claim of claims) void work(claim, lateMs);
    if (claims.length > 0) {
      // Until nothing is due: a pass may take long, and the others' timer must not wait for it.
      isAgain = true;
      return true;
    }
    const next = await guarded(async () => ({
      at: await store.nextWake(machine, projects),
      now: await store.now(),
    }));
    if (!next) return retrySoon();
    if (ended.length === 0)
      schedule(next.at === null ? IDLE_MS : Math.min(IDLE_MS, Math.max(1, next.at - next.now)));
    return true;
  }

  async function work(claimed: Claim, lateMs: number): Promise<void> {
    const { key } = claimed.record;
    const held: Held = { lease: claimed.lease, aheadMs: claimed.now - clock.now() };
    active.set(key, held);
    const claim = heldClaim(claimed, held, lateMs);
    const settlement = await pass(claim).then(
      (done) => {
        crashes.delete(key);
        return done;
      },
      (error) => afterCrash(claim, asFailure(error)),
    );
    if (active.get(key) === held) active.delete(key);
    ended.push({ settlement, deadline: held.lease.until - held.aheadMs });
    await pump();
  }

  function afterCrash({ record, lease, now }: Claim, failure: Failure): Settlement {
    const count = (crashes.get(record.key) ?? 0) + 1;
    crashes.set(record.key, count);
    onFailure(record.key, failure);
    const retryAt = failure.retryAt ?? now + backoffMs(count, false);
    return { lease, wakeAt: retryAt, events: [], release: true };
  }

  async function renew(): Promise<void> {
    if (active.size > 0) await renewAll([...active.values()]);
    if (!isStopped) cancelRenewal = clock.after(RENEW_MS, () => void renew());
  }

  async function renewAll(all: readonly Held[]): Promise<void> {
    const sentAt = clock.now();
    const kept = await guarded(() =>
      store.renew(
        all.map(({ lease }) => lease),
        LEASE_MS,
      ),
    );
    for (const held of all) {
      const until = Math.round(sentAt + held.aheadMs) + LEASE_MS;
      if (kept?.has(held.lease.key)) held.lease = { ...held.lease, until };
    }
  }

  let cancelRenewal = () => {};
  let unsubscribe = () => {};

  return {
    start() {
      isStarted = true;
      cancelRenewal = clock.after(RENEW_MS, () => void renew());
      unsubscribe = store.subscribe(() => void pump());
      void pump();
    },
    wake(key) {
      woken.add(key);
      schedule(0);
    },
    async stop() {
      isStopped = true;
      unsubscribe();
      cancelTimer();
      cancelRenewal();
      while (active.size > 0 || isPumping || ended.length > 0) {
        await pump();
        if (isDown) break;
        await new Promise<void>((resolve) => clock.after(5, resolve));
      }
    },
  };
}

// Private

/**
 * At most one of each key, oldest first; the others stay. After a sleep of the machine a key may have been claimed anew,
 * by ourselves, while its last pass had not ended yet.
 */
function takeDistinct<Item extends { readonly settlement: Settlement }>(ended: Item[]): Item[] {
  const keys = new Set<string>();
  const isFirst = ({ settlement: { lease } }: Item) => !keys.has(lease.key) && keys.add(lease.key);
  const all = ended.splice(0);
  const batch = all.filter(isFirst);
  ended.push(...all.filter((item) => !batch.includes(item)));
  return batch;
}

/** A pass that takes long sees how long it may still go on. */
function heldClaim(claim: Claim, held: Held, lateMs: number): Claim {
  return {
    ...claim,
    now: claim.now + lateMs,
    get lease() {
      return held.lease;
    },
  };
}
