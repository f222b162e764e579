// The two families of things that go wrong. A Problem is the user's mistake: collected, never thrown.
// A Failure is the world's: thrown, and its kind alone decides what happens next.

export type Severity = 'error' | 'warning';

/** A mistake in a user's file. `line` and `column` count from 1; `path` is the place in the document (`probes[0].url`, '' for the whole file). */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
  /** What to do about it, in the imperative. */
  readonly fix: string;
  readonly severity: Severity;
}

/**
 * What the world did, by what to do next:
 * - `no-capacity`, `quota`: this offer is set aside for a while, the next is tried now
 * - `rate-limited`: wait until `retryAt`; not an attempt
 * - `transient`: try the identical request again after a backoff
 * - `not-found`: terminate: done; get: lost
 * - `unauthorized`: stop using that backend and say which credential
 * - `invalid`: terminal for the revision
 * - `bug`: ours; back off long, keep other keys going
 */
export type FailureKind =
  | 'no-capacity'
  | 'quota'
  | 'rate-limited'
  | 'transient'
  | 'not-found'
  | 'unauthorized'
  | 'invalid'
  | 'bug';

export class Failure extends Error {
  readonly kind: FailureKind;
  /** What to do about it; '' when nothing can be done but wait. */
  readonly fix: string;
  /** Epoch ms before which a retry is pointless; only for `rate-limited`. */
  readonly retryAt: number | undefined;

  constructor(
    kind: FailureKind,
    message: string,
    options: { fix?: string; cause?: unknown; retryAt?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.kind = kind;
    this.fix = options.fix ?? '';
    this.retryAt = options.retryAt;
  }
}

/** Any thrown value as a Failure; what is not one already is a `bug`. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new Failure('bug', message, { cause: error });
}
