// How far a commit has come, service by service, by what the server says. Pure.
import type { EventView, ServiceView, Status } from '../schemas/api.ts';

export type ServiceProgress = { readonly service: string } & (
  | { readonly kind: 'moving'; readonly detail: string }
  | { readonly kind: 'done' }
  /** Nothing begins until its reason is gone: a window, a budget, an approval. */
  | { readonly kind: 'held'; readonly detail: string }
  | { readonly kind: 'failed'; readonly detail: string }
  /** `by`: the commit, where one is known. */
  | { readonly kind: 'superseded'; readonly by: string }
);

export type Progress =
  /** The server has not read the commit yet; `detail`: why, where it knows. */
  | { readonly kind: 'unread'; readonly detail: string }
  /** One entry for each service that the commit touched. */
  | { readonly kind: 'read'; readonly services: readonly ServiceProgress[] };

export interface Seen {
  readonly commit: string;
  /** All that happened, as far as it is known. */
  readonly events: readonly EventView[];
  readonly status: Status;
  /** Whether waiting for approval is over as soon as the server looks again. */
  readonly isApproved: boolean;
}

export function progressOf(seen: Seen): Progress {
  const { commit, events, status, isApproved } = seen;
  const own = events.filter((event) => event.commit === commit);
  if (own.length === 0 && status.commit !== commit)
    return { kind: 'unread', detail: status.sourceFailure?.message ?? '' };
  if (isApproved && status.commit === commit && isPending('', own))
    return { kind: 'unread', detail: 'it is approved, and about to be applied' };
  const rolled = status.services.filter(({ rollout }) => rollout?.commit === commit);
  const names = new Set([...own.map(({ service }) => service), ...rolled.map(({ name }) => name)]);
  const kept = own.some(({ event }) => event === 'deletions-held') ? status.held : [];
  const services = [...names]
    .filter((service) => service !== '' && !kept.includes(service))
    .toSorted()
    .map((service) => serviceProgress(service, seen));
  const held = kept.map((service) => ({ service, kind: 'held' as const, detail: TOO_MANY_GONE }));
  return { kind: 'read', services: [...services, ...held] };
}

/** Nothing more is to come of them by itself, or soon. */
export function isSettled({ kind }: ServiceProgress): boolean {
  return kind !== 'moving';
}

// Private

const TOO_MANY_GONE = 'its file is gone, but removing it would exceed the deletion budget';

function serviceProgress(service: string, { commit, events, status, isApproved }: Seen): ServiceProgress {
  const view = status.services.find(({ name }) => name === service);
  if (!view) return { service, kind: 'done' };
  const isNewest = status.commit === commit;
  const problem = view.problems.find(({ severity }) => severity === 'error');
  if (problem && isNewest) return failed(service, `${problem.file}:${problem.line}: ${problem.message}`);
  const held = heldOf(view, isApproved);
  if (view.rollout?.commit === commit) return rolloutProgress(view, view.rollout, status.commit);
  if (!isNewest) return { service, kind: 'superseded', by: status.commit ?? '' };
  if (held) return { service, kind: 'held', detail: held };
  // What is said of it until then is said of what was asked before.
  if (isPending(service, events)) return { service, kind: 'moving', detail: detailOf(view) };
  const quarantine = view.waiting?.find(({ reason }) => reason === 'quarantine');
  if (quarantine) return failed(service, quarantine.detail);
  return isAsAsked(view) ? { service, kind: 'done' } : { service, kind: 'moving', detail: detailOf(view) };
}

function rolloutProgress(
  view: ServiceView,
  { outcome, reason }: NonNullable<ServiceView['rollout']>,
  newest: string | null,
): ServiceProgress {
  const service = view.name;
  switch (outcome) {
    case 'done':
      return { service, kind: 'done' };
    case 'failed':
      return failed(service, reason);
    case 'superseded':
      return { service, kind: 'superseded', by: newest ?? '' };
    case 'rolling':
      // A first deployment has nothing to fall back on: it is tried for ever, and yet has failed.
      return view.status === 'failed'
        ? failed(service, detailOf(view))
        : { service, kind: 'moving', detail: detailOf(view) };
  }
}

function failed(service: string, detail: string): ServiceProgress {
  return { service, kind: 'failed', detail };
}

const HOLDS = ['approval', 'window', 'budget', 'deletion-budget', 'suspended'];

function heldOf({ waiting = [], status }: ServiceView, isApproved: boolean): string | null {
  const hold = waiting.find(({ reason }) => HOLDS.includes(reason) && !(reason === 'approval' && isApproved));
  if (hold) return hold.detail;
  return status === 'suspended' ? 'trueup.yml suspends it' : null;
}

/** What waits has not been asked for yet, so that what runs may seem to be all. */
function isPending(service: string, events: readonly EventView[]): boolean {
  const own = events.filter((event) => event.service === service);
  return own.findLast(({ event }) => PENDING.includes(event))?.event === 'pending';
}

const PENDING = ['pending', 'admitted', 'withdrawn', 'removed'];

/** What is asked for runs already, so that nothing had to be rolled out: a change was taken back, or concerns no process. */
function isAsAsked({ asked, revision, rollout, status }: ServiceView): boolean {
  return (
    status !== 'removing' && asked === revision && rollout !== undefined && rollout.outcome !== 'rolling'
  );
}

function detailOf({ rollout, waiting = [] }: ServiceView): string {
  const ready = rollout?.outcome === 'rolling' ? [`${rollout.ready} of ${rollout.desired} ready`] : [];
  const [first] = waiting;
  const wait = first ? [`waits (${first.reason})${first.detail ? `: ${first.detail}` : ''}`] : [];
  return [...ready, ...wait].join('; ');
}
