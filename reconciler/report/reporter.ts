// When reports are made: soon after something happened, one at a time, only what is new, and never so often that GitHub
// would refuse. Whatever GitHub does, nobody waits for it: trouble is told once, and reports are made up for later.
import type { DesiredRecord } from '../../schemas/desired.ts';
import { asFailure, type Failure } from '../../schemas/errors.ts';
import type { ProjectState } from '../../schemas/project.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import type { Clock } from '../clock.ts';
import { backoffMs } from '../plan/backoff.ts';
import type { Store } from '../store/store.ts';
import type { Board, Said } from './github.ts';
import { type CommitReport, reportsOf } from './report.ts';

export interface ReporterOptions {
  readonly project: string;
  readonly store: Pick<Store, 'list' | 'events' | 'subscribe'>;
  readonly board: Board;
  /** Where the credential lies, for who has to replace it: `env:GITHUB_TOKEN`. */
  readonly tokenFrom: string;
  readonly clock: Clock;
  /** Epoch ms. */
  readonly now: () => number;
  readonly log: (line: string) => void;
}

export interface Reporter {
  start(): void;
  health(): ReporterHealth;
  stop(): void;
}

export interface ReporterHealth {
  /** False once the credential was refused. */
  readonly isReporting: boolean;
  readonly posts: number;
  readonly failures: number;
}

/** After something happened: much happens at once. */
export const SOON_MS = 2_000;
/** Without anything having happened: being told of it is only a hint. */
export const IDLE_MS = 30_000;

export function createReporter(options: ReporterOptions): Reporter {
  const { project, board, tokenFrom, clock, now, log, store } = options;
  const tellings = new Map<string, Telling>();
  const health = { isReporting: true, posts: 0, failures: 0 };
  let streak = 0;
  let dueAt = NEVER;
  /** GitHub is left alone until then. */
  let restUntil = 0;
  let isLooking = false;
  let isOver = false;
  let cancel = () => {};
  let unsubscribe = () => {};

  function lookBy(at: number): void {
    dueAt = Math.min(dueAt, at);
    cancel();
    if (isLooking || isOver || !health.isReporting) return;
    cancel = clock.after(Math.max(dueAt, restUntil) - clock.now(), () => void look());
  }

  async function look(): Promise<void> {
    isLooking = true;
    dueAt = clock.now() + IDLE_MS;
    const next = await bringUpToDate();
    isLooking = false;
    lookBy(next);
  }

  /** Says when there is more to do. */
  async function bringUpToDate(): Promise<number> {
    const reports = await readReports(options).catch(() => null);
    // A store that does not answer is told about by those who cannot do without.
    if (reports === null) return NEVER;
    forgetAllBut(reports.map(({ commit }) => commit));
    let next = NEVER;
    for (const report of reports) {
      if (isOver || !health.isReporting || clock.now() < restUntil) break;
      next = Math.min(next, await tell(report));
    }
    return next;
  }

  function forgetAllBut(commits: readonly string[]): void {
    for (const commit of tellings.keys()) if (!commits.includes(commit)) tellings.delete(commit);
  }

  async function tell(report: CommitReport): Promise<number> {
    const telling = tellings.get(report.commit) ?? UNTOLD;
    if (telling.isGivenUp) return NEVER;
    try {
      const last = telling.last === undefined ? await board.newest(report.commit) : telling.last;
      tellings.set(report.commit, { ...telling, last });
      if (!isNews(report, last)) {
        if (telling.last === undefined) noteSuccess();
        return NEVER;
      }
      if (clock.now() < telling.freeAt) return telling.freeAt;
      await board.say(report, last);
      health.posts += 1;
      const posts = telling.posts + 1;
      tellings.set(report.commit, { ...telling, last: report, posts, freeAt: clock.now() + gapMs(posts) });
      noteSuccess();
      return NEVER;
    } catch (error) {
      return noteFailure(report.commit, telling, asFailure(error));
    }
  }

  function noteSuccess(): void {
    if (streak > 0) log(`project ${project}: GitHub takes its statuses again`);
    streak = 0;
  }

  /** Says when to try again. */
  function noteFailure(commit: string, telling: Telling, failure: Failure): number {
    if (isOver) return NEVER;
    const { message, kind, retryAt } = failure;
    health.failures += 1;
    // Whether it was carried out is not known: what GitHub has is read before anything is said again.
    const { last: _, ...rest } = telling;
    tellings.set(commit, { ...rest, isGivenUp: kind === 'invalid' });
    if (kind === 'unauthorized' || kind === 'not-found') {
      health.isReporting = false;
      log(`project ${project}: ${message}: no statuses are set any more. ${fixOf(kind, tokenFrom)}`);
      return NEVER;
    }
    if (kind === 'invalid') {
      log(`project ${project}: ${message}: no status is set for commit ${commit.slice(0, 8)}`);
      return NEVER;
    }
    streak += 1;
    if (streak === 1) log(`project ${project}: ${message}: statuses are set later`);
    const pauseMs = retryAt === undefined ? backoffMs(streak, false) : Math.max(0, retryAt - now());
    restUntil = clock.now() + pauseMs;
    return restUntil;
  }

  return {
    start() {
      unsubscribe = store.subscribe(() => lookBy(clock.now() + SOON_MS));
      lookBy(clock.now() + SOON_MS);
    },
    health: () => ({ ...health }),
    stop() {
      isOver = true;
      unsubscribe();
      cancel();
    },
  };
}

// Private

/** What GitHub was told of one commit. */
interface Telling {
  /** Absent: not known; null: nothing. */
  readonly last?: Said | null;
  readonly posts: number;
  /** When the next may be told. */
  readonly freeAt: number;
  readonly isGivenUp: boolean;
}

const NEVER = Number.POSITIVE_INFINITY;
const UNTOLD: Telling = { posts: 0, freeAt: 0, isGivenUp: false };
/** How many commits back one may have been left half done, by a daemon that was not there to see its end. */
const EARLIER = 5;

/** GitHub takes 1,000 statuses of a commit: at this pace, they last for years. */
function gapMs(posts: number): number {
  return 10_000 * 2 ** Math.floor(posts / 50);
}

/** A commit that another one has replaced needs a last word only if it would otherwise be pending for ever. */
function isNews(report: CommitReport, last: Said | null): boolean {
  if (report.deployment === 'inactive') return last?.state === 'pending';
  return (
    report.state !== last?.state ||
    report.description !== last.description ||
    report.deployment !== last.deployment
  );
}

async function readReports({ store, project }: ReporterOptions): Promise<readonly CommitReport[]> {
  const [records, events] = await Promise.all([
    store.list(project),
    // Of the project itself: its commits, and little else.
    store.events({ project, service: '', limit: 50 }),
  ]);
  const own = records.find(({ service }) => service === '')?.state as ProjectState | null | undefined;
  if (!own) return [];
  const services = records
    .filter(({ service }) => service !== '')
    .map(({ service, desired, state }) => ({
      name: service,
      // Opaque to the store; these are the types they were written with.
      record: desired as DesiredRecord | null,
      state: state as ServiceState | null,
    }));
  const commits = events.flatMap(({ event, commit }) => (event === 'commit' && commit ? [commit] : []));
  return reportsOf(own, services, commits.slice(-EARLIER));
}

function fixOf(kind: 'unauthorized' | 'not-found', tokenFrom: string): string {
  const right = 'it needs the rights to write commit statuses and deployments';
  return kind === 'unauthorized'
    ? `Replace the token in ${tokenFrom} (${right}) and restart trueup.`
    : `Check \`github.repository\`, and that the token in ${tokenFrom} may see it (${right}); then restart trueup.`;
}
