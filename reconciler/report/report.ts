// What is told of a project's commits: of each one state and one line, worded so that they change only when something
// worth telling has happened. Pure.
import type { ProjectState } from '../../schemas/project.ts';
import { errorIn, type Progress, problemText, progressOf, type StoredService } from './progress.ts';

export type ReportState = 'pending' | 'success' | 'failure' | 'error';
export type DeploymentState = 'in_progress' | 'success' | 'failure' | 'error' | 'inactive';

export interface CommitReport {
  readonly commit: string;
  readonly state: ReportState;
  /** One line of at most 140 characters. */
  readonly description: string;
  /** null: nothing of it may be deployed yet. `inactive` where another commit took its place. */
  readonly deployment: DeploymentState | null;
}

/** GitHub refuses longer descriptions. */
export const LONGEST = 140;

/**
 * Of the newest commit and, while that waits for approval, of the one in force. `earlier` are commits that were read
 * before: what is not over by now never will be.
 */
export function reportsOf(
  project: Standing,
  services: readonly StoredService[],
  earlier: readonly string[] = [],
): CommitReport[] {
  const { commit, applied = commit } = project;
  if (commit === null || applied === null) return [];
  const current = new Set([applied, commit]);
  const superseded = [...new Set(earlier)].filter((each) => !current.has(each));
  return [
    ...[...current].map((each) => reportOf(project, services, each)),
    ...superseded.map((each) => supersededBy(each, commit)),
  ];
}

// Private

interface Judged {
  readonly name: string;
  readonly progress: Progress;
}

type Standing = Pick<ProjectState, 'commit' | 'applied' | 'pending' | 'problems'>;

function reportOf(project: Standing, services: readonly StoredService[], commit: string): CommitReport {
  const isNewest = commit === project.commit;
  const isHeld = commit === project.pending?.commit;
  const judged = judge(services, commit, isNewest);
  const report = (state: ReportState, text: string): CommitReport => {
    return { commit, state, description: lineOf(text), deployment: isHeld ? null : DEPLOYMENT[state] };
  };
  const invalid = isNewest ? invalidText(project.problems, judged) : null;
  if (invalid !== null) return report('error', invalid);
  const failed = failedText(judged);
  if (failed !== null) return report('failure', failed);
  const pending = pendingText(judged) ?? (isHeld ? 'waits for approval' : null);
  return pending === null ? report('success', doneText(judged.length)) : report('pending', pending);
}

/** What the commit changed, and whatever else is not as it asks. */
function judge(services: readonly StoredService[], commit: string, isNewest: boolean): Judged[] {
  return services.flatMap((service) => {
    const progress = progressOf(service, isNewest);
    const isTouched = progress.kind !== 'done' || service.record?.service?.commit === commit;
    return isTouched ? { name: service.name, progress } : [];
  });
}

const DEPLOYMENT: { readonly [state in ReportState]: DeploymentState } = {
  pending: 'in_progress',
  success: 'success',
  failure: 'failure',
  error: 'error',
};

/** GitHub has no word for it, and nothing is wrong. */
function supersededBy(commit: string, by: string): CommitReport {
  const description = `commit ${by.slice(0, 8)} took its place`;
  return { commit, state: 'success', description, deployment: 'inactive' };
}

function invalidText(problems: ProjectState['problems'], judged: readonly Judged[]): string | null {
  const own = errorIn(problems);
  const texts = judged.flatMap(({ progress }) => (progress.kind === 'invalid' ? progress.why : []));
  return withMore(own ? [problemText(own), ...texts] : texts);
}

function failedText(judged: readonly Judged[]): string | null {
  return withMore(
    judged.flatMap(({ name, progress }) => (progress.kind === 'failed' ? `${name}: ${progress.why}` : [])),
  );
}

/** The first of them, in its own length: what follows must still be seen. */
function withMore([first, ...more]: readonly string[]): string | null {
  if (first === undefined) return null;
  const rest = more.length > 0 ? ` (and ${more.length} more)` : '';
  return `${cut(oneLine(first), LONGEST - rest.length)}${rest}`;
}

function pendingText(judged: readonly Judged[]): string | null {
  const waiting = judged.flatMap(({ name, progress }) =>
    progress.kind === 'waiting' ? `${name} waits ${progress.until}` : [],
  );
  const moving = judged.flatMap(({ name, progress }) =>
    progress.kind === 'moving' ? `${name} ${progress.doing}` : [],
  );
  const open = [...waiting, ...moving];
  return open.length === 0
    ? null
    : `${judged.length - open.length} of ${counted(judged.length)} done; ${open[0]}`;
}

function doneText(count: number): string {
  return count === 0 ? 'nothing left to do' : `${counted(count)} done`;
}

function counted(count: number): string {
  return `${count} ${count === 1 ? 'service' : 'services'}`;
}

function lineOf(text: string): string {
  return cut(oneLine(text), LONGEST);
}

/** Reasons may hold what a process said: no line breaks, nothing that turns the direction of writing or hides. */
function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim();
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest - 1).replace(/[\ud800-\udbff]$/, '')}…` : text;
}
