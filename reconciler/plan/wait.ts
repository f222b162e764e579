// Says what a service is waiting for: every reason why it is not converged and no step is taken now.
import type { Actual } from '../../schemas/actual.ts';
import type { DesiredRecord, GroupSpec, Pending, ServiceSpec } from '../../schemas/desired.ts';
import type { Deployment, Replica, ServiceState, Waiting, WaitingReason } from '../../schemas/rollout.ts';
import { askedText } from './asked.ts';
import { trustIn } from './bake.ts';
import { deadlineOf } from './deadlines.ts';
import { deploymentOf, isCurrent, isEnding, isHeld, isRolling, isSpare, targetOf } from './deployments.ts';
import { type Choice, place } from './place.ts';
import { isDoubtful } from './probes.ts';
import { gaveUp } from './retry.ts';
import { ceilingOf, floorOf, isPublished } from './roll.ts';
import { delayedScalings, wantedReplicas } from './scale.ts';
import { restText } from './schedule.ts';
import { startsBadly } from './status.ts';
import { heirOf, isGivingWay, missingIn, nextStandIn } from './successor.ts';

type Reason = Omit<Waiting, 'since'>;

/** The reasons now; one that was there before keeps its `since`. */
export function waitingOf(
  state: ServiceState,
  desired: DesiredRecord | null,
  actual: Actual,
  now: number,
): Waiting[] {
  const reasons = [
    ...state.replicas.flatMap((replica) => replicaReasons(state, replica, actual, now)),
    ...watchReasons(state, now),
    ...groupReasons(state, desired, actual, now),
    ...serviceReasons(state, desired, actual, now),
    ...termReasons(state),
    ...scalingReasons(state, actual, now),
  ];
  const waiting = reasons.map((reason) => ({ ...reason, since: sinceOf(state.waiting, reason) ?? now }));
  return [...waiting, ...heldBack(desired, state.waiting, now)];
}

/** What a commit asks for and may not be applied yet; and that the service is suspended, if it is. */
export function heldBack(
  desired: DesiredRecord | null,
  before: readonly Waiting[],
  now: number,
): readonly Waiting[] {
  const pending = desired?.pending;
  if (pending)
    return [{ ...wait(pending.reason, '', pending.until, pendingText(pending)), since: pending.since }];
  if (!desired?.suspended) return [];
  const reason = wait('suspended', '', null, 'nothing new is rolled out; what runs goes on');
  return [{ ...reason, since: sinceOf(before, reason) ?? now }];
}

// Private

function pendingText({ revision, commit, detail }: Pending): string {
  const what = revision === null ? 'its removal' : `revision ${revision}`;
  return `${what} (commit ${commit.slice(0, 8)}) waits: ${detail}`;
}

function sinceOf(before: readonly Waiting[], { reason, subject }: Reason): number | undefined {
  return before.find((waiting) => waiting.reason === reason && waiting.subject === subject)?.since;
}

function replicaReasons(state: ServiceState, replica: Replica, actual: Actual, now: number): Reason[] {
  const spec = deploymentOf(state, replica.deployment)?.spec;
  if (!spec) return [];
  const fact = actual.replicas[replica.name];
  return fact?.kind === 'unknown'
    ? [wait('backend', replica.name, null, fact.reason)]
    : phaseReasons(state, replica, spec, now);
}

function phaseReasons(state: ServiceState, replica: Replica, spec: ServiceSpec, now: number): Reason[] {
  const { policy } = spec;
  const { name, detail } = replica;
  const retryAt = replica.retryAt > now ? replica.retryAt : null;
  const until = (ms: number) => now + Math.max(0, ms - replica.stageMs);
  const deadline = deadlineOf(replica, spec);
  const late = deadline && until(deadline.ms);
  switch (replica.phase) {
    case 'creating':
      return [wait('instance', name, retryAt ?? late, detail || 'its instance is being created')];
    case 'starting':
      return replica.stage === 'provision'
        ? [wait('instance', name, retryAt ?? late, detail || 'its process is about to be started')]
        : [wait('start', name, late, detail || startText(replica))];
    case 'probing':
      return [wait('ready', name, late, detail || 'its probes have not all met ready_after')];
    case 'unready':
      return [
        wait('ready', name, replica.leaving ? null : until(policy.livenessMs), replica.leaving || detail),
      ];
    case 'draining':
      return [
        wait(
          'drain',
          name,
          isSpare(replica, state) ? null : until(policy.drainMs),
          detail || 'requests in flight finish',
        ),
      ];
    case 'stopping':
      return [wait('stop', name, retryAt, detail || `SIGTERM was sent: ${replica.leaving}`)];
    case 'terminating':
      return [wait('terminate', name, retryAt, detail || 'its instance is being given back')];
    case 'ready':
      return readyReasons(replica);
  }
}

function startText({ stage }: Replica): string {
  return stage === 'pull' ? 'its image is being fetched' : 'it is starting';
}

function watchReasons(state: ServiceState, now: number): Reason[] {
  const trustedAt = trustIn(state);
  const { exits = 0, isAgain } = state.rollout ?? {};
  const why = isAgain
    ? 'it has failed before'
    : exits
      ? 'one before it ended'
      : 'it is the first of its kind';
  const text = `${why}: it is watched for a moment before another leaves because of it`;
  return state.replicas.flatMap((replica) => {
    if (replica.phase !== 'ready') return [];
    if (trustedAt(replica) > now) return [wait('ready', replica.name, trustedAt(replica), text)];
    return isDoubted(replica, state) ? [wait('ready', replica.name, null, DOUBTED)] : [];
  });
}

const DOUBTED = 'its probe has just failed: no old one leaves until that is over';

function isDoubted(replica: Replica, state: ServiceState): boolean {
  const target = targetOf(state);
  if (!target || !isRolling(state) || state.good === null) return false;
  return isCurrent(replica, target) && isDoubtful(replica);
}

function readyReasons({ name, leaving, trial }: Replica): Reason[] {
  if (leaving) return [wait('ready', name, null, `${leaving}; it stays until another one serves`)];
  return trial ? [wait('ready', name, null, 'the new probes are tried beside the old ones')] : [];
}

function groupReasons(
  state: ServiceState,
  desired: DesiredRecord | null,
  actual: Actual,
  now: number,
): Reason[] {
  const target = targetOf(state);
  if (!target) return [];
  const trustedAt = trustIn(state);
  return target.spec.groups.flatMap((group) => {
    const mine = state.replicas.filter((replica) => replica.group === group.name);
    if (missingIn(state, target, group, heirOf(actual, group.name, now)) <= 0) return [];
    const over = gaveUp(state, target, group.name, now);
    if (over !== null) return [wait('hold', group.name, null, over)];
    const backoff = state.backoff[group.name];
    if (backoff && now < backoff.until) {
      return [
        wait(
          'backoff',
          group.name,
          backoff.until,
          `${backoff.failures} failed in a row; the last: ${lastFailure(state)}`,
        ),
      ];
    }
    if (isHeld(state, target)) return [];
    if (mine.length >= ceilingOf(state, target, group, now)) {
      // While one is on its way in or out, that is what is waited for.
      return mine.every(
        (replica) => isSettled(replica) && trustedAt(replica) <= now && !isDoubted(replica, state),
      )
        ? [surgeReason(state, target, group, mine, now)]
        : [];
    }
    const fact = actual.offers[group.name];
    const choice = place(fact, state.setAside, now);
    if (choice.kind !== 'none') return [];
    if (fact?.kind === 'awaits') return [wait('dependency', group.name, null, fact.reason)];
    const isNowhere = fact?.kind === 'offers' && fact.offers.length === 0 && !fact.leftTo && !fact.why;
    const reason = isNowhere ? `${choice.reason}: ${askedText(group)}` : choice.reason;
    const live = mine.filter((replica) => !isEnding(replica)).length;
    const none = { ...choice, reason };
    return [
      formerReason(state, target, group, desired, live, none) ??
        capacityReason(state, target, group, live, none),
    ];
  });
}

type None = Choice & { readonly kind: 'none' };

/** Nothing of it runs yet, and nothing makes room for it by itself: what serves under its former name stays as it is. */
function formerReason(
  state: ServiceState,
  { spec: { policy } }: Deployment,
  { name }: GroupSpec,
  desired: DesiredRecord | null,
  live: number,
  { reason, until }: None,
): Reason | null {
  const { renamedFrom = [] } = desired ?? {};
  if (renamedFrom.length === 0 || live > 0) return null;
  const former = renamedFrom.join(' and ');
  if (startsBadly(state)) {
    const text = `${former} makes no more room for what does not start, until its file is changed: ${reason}`;
    return wait('capacity', name, until, text);
  }
  if (policy.unavailable > 0) return null;
  const text = `there is no room beside ${former}, which it takes the place of: ${reason}`;
  return wait('cannot-surge', name, until, `${text}; ${DO_WITH_LESS}`);
}

const DO_WITH_LESS = '`unavailable: 1` in trueup.yml lets it go on with one replica less for a while';

/** Without room for one more, a rollout that may not do with one less cannot go on by itself. */
function capacityReason(
  state: ServiceState,
  target: Deployment,
  group: GroupSpec,
  live: number,
  { reason, until }: None,
): Reason {
  if (live < wantedReplicas(group, state) || target.spec.policy.unavailable > 0)
    return wait('capacity', group.name, until, reason);
  const text = `there is no room for one more beside the ${live} that serve: ${reason}`;
  return wait('cannot-surge', group.name, until, `${text}; ${DO_WITH_LESS}`);
}

/** Neither on its way in nor on its way out. */
function isSettled({ phase }: Replica): boolean {
  return phase === 'ready' || phase === 'unready';
}

function surgeReason(
  state: ServiceState,
  target: Deployment,
  group: GroupSpec,
  mine: readonly Replica[],
  now: number,
): Reason {
  const floor = floorOf(state, target, group, now);
  const ready = mine.filter((replica) => replica.phase === 'ready').length;
  const text = `${mine.length} replicas are live, ${ready} ready, at least ${floor} must stay ready`;
  return wait('cannot-surge', group.name, null, text);
}

function serviceReasons(
  state: ServiceState,
  desired: DesiredRecord | null,
  actual: Actual,
  now: number,
): Reason[] {
  const reasons: Reason[] = [];
  const { quarantine, rollout } = state;
  const target = targetOf(state);
  if (desired?.renamedTo) {
    const text = `it is called ${desired.renamedTo} now, and ends once that has been rolled out`;
    reasons.push(wait('rename', '', nextStandIn(actual, now), `${text}${roomText(state, actual, now)}`));
  }
  if (state.route && !isPublished(state, actual)) {
    reasons.push(wait('publish', '', null, 'until every proxy has the newest route'));
  }
  if (quarantine && now < quarantine.until && desired?.service?.digest === quarantine.digest) {
    const held = target !== null && isHeld(state, target);
    const text = `${quarantine.reason}; change the file, its policy or a secret to try again`;
    reasons.push(wait(held ? 'hold' : 'quarantine', '', quarantine.until, text));
  }
  const [problem] = desired?.problems.filter(({ severity }) => severity === 'error') ?? [];
  if (problem) {
    const text = `${problem.file}:${problem.line}:${problem.column} ${problem.message}`;
    reasons.push(wait('problem', '', null, rollout || target ? `${text}; the last good spec stays` : text));
  }
  return reasons;
}

/** Why there are fewer of it than its file asked for. */
function roomText(state: ServiceState, actual: Actual, now: number): string {
  if (!isGivingWay(state, actual, now)) return '';
  return '; there is not room for both, so it gives way replica by replica';
}

function termReasons(state: ServiceState): Reason[] {
  const text = restText(state);
  const { term } = state;
  if (text === null || !term || term.kind === 'started') return [];
  return [wait(term.kind === 'stopped' ? 'stopped' : 'schedule', '', term.at, text)];
}

function scalingReasons(state: ServiceState, actual: Actual, now: number): Reason[] {
  return delayedScalings(state, actual, now).map(({ group, until, detail }) =>
    wait('scaling', group, until, `${detail}; not so soon after the last change`),
  );
}

function lastFailure(state: ServiceState): string {
  const last = state.failures.at(-1);
  return last ? `${last.replica} ${last.reason}` : 'unknown';
}

function wait(reason: WaitingReason, subject: string, until: number | null, detail: string): Reason {
  return { reason, subject, until, detail };
}
