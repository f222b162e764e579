// Checks a decision by rules of its own, without the code that made it: what must hold for any two states that follow
// each other, whatever the reason. A decision that breaks one is a bug of ours; it is not carried out.
import type { Actual } from '../../schemas/actual.ts';
import type { GroupSpec } from '../../schemas/desired.ts';
import type { Deployment, Replica, ServiceState } from '../../schemas/rollout.ts';
import type { Decision, DecisionInput } from './decide.ts';

const SERVING = new Set(['ready', 'unready']);
const LEAVING = new Set(['draining', 'stopping', 'terminating']);

/** The rules that the decision breaks, in words; empty when it is sound. */
export function check(input: DecisionInput, decision: Decision): string[] {
  const { state } = decision;
  if (state === null) return input.state?.replicas.length ? lostReplicas(input.state, input.actual, []) : [];
  return [
    ...names(input.state, state),
    ...lostReplicas(input.state, input.actual, state.replicas),
    ...places(input.state, state),
    ...bounds(state),
    ...size(input.state, state),
    ...floor(input, state),
    ...drains(input, state),
    ...quarantine(input, state),
    ...routes(state),
    ...untouched(input, decision),
    ...words(decision, state),
  ];
}

// Private

/** Names are unique, and a new one is above every number ever used. */
function names(before: ServiceState | null, after: ServiceState): string[] {
  const known = namesOf(before);
  const seen = new Set<string>();
  const twice = after.replicas.flatMap(({ name }) => {
    const isTwice = seen.has(name);
    seen.add(name);
    return isTwice ? [`${name} is there twice`] : [];
  });
  const reused = after.replicas
    .filter((replica) => !known.has(replica.name) && replica.number <= (before?.lastReplica ?? 0))
    .map((replica) => `${replica.name} takes a number that was used before`);
  return [...twice, ...reused];
}

/** A replica is forgotten only once its instance is definitely gone. */
function lostReplicas(before: ServiceState | null, actual: Actual, after: readonly Replica[]): string[] {
  const kept = new Set(after.map((replica) => replica.name));
  return (before?.replicas ?? [])
    .filter(({ name }) => !kept.has(name) && actual.replicas[name]?.kind !== 'missing')
    .map(({ name }) => `${name} is forgotten though its instance may be there`);
}

/** Where a replica is, and by which attempt, is never decided anew: only its backend's definite refusal moves it. */
function places(before: ServiceState | null, after: ServiceState): string[] {
  const was = byName(before);
  return after.replicas.flatMap(({ name, attempt, offer }) => {
    const old = was.get(name);
    const isMoved =
      old &&
      (old.attempt !== attempt || old.offer.backend !== offer.backend || old.offer.region !== offer.region);
    return isMoved ? [`${name} is moved though its instance may be there`] : [];
  });
}

/** The count that traffic asks for stays between the bounds of the file. */
function bounds(after: ServiceState): string[] {
  const groups = isResting(after) ? [] : (deployment(after, after.target)?.spec.groups ?? []);
  return groups.flatMap(({ name, replicas: { min, max } }) => {
    const count = after.scale?.[name]?.count ?? min;
    return count < min || count > max ? [`group ${name} is to have ${count}, not ${min} to ${max}`] : [];
  });
}

/** Nothing is created beyond the wanted count, or that of the good deployment, plus the surge. */
function size(previous: ServiceState | null, after: ServiceState): string[] {
  const target = deployment(after, after.target);
  const good = deployment(after, after.good);
  const known = namesOf(previous);
  const former = (good?.spec.groups ?? []).filter(
    ({ name }) => !target?.spec.groups.some((group) => group.name === name),
  );
  return (target?.spec.groups ?? []).flatMap((group) => {
    const mine = after.replicas.filter((replica) => replica.group === group.name);
    // One that good does not have may be any of those that only good has, by another name.
    const same = good?.spec.groups.find(({ name }) => name === group.name);
    const before = good === target ? 0 : most(same ? [same] : former);
    const wanted = after.scale?.[group.name]?.count ?? group.replicas.max;
    const limit = Math.max(wanted, before) + (target?.spec.policy.surge ?? 0);
    const created = mine.some((replica) => !known.has(replica.name));
    return created && mine.length > limit
      ? [`group ${group.name} grows to ${mine.length}, above ${limit}`]
      : [];
  });
}

function most(groups: readonly { readonly replicas: { readonly max: number } }[]): number {
  return Math.max(0, ...groups.map(({ replicas }) => replicas.max));
}

/**
 * By our own hand, the ready replicas of a group that stays never fall below the wanted count less `unavailable`; nor,
 * where unready ones are sent away, do those that have served at all. A service that is to rest keeps none.
 */
function floor({ state: before, actual, now }: DecisionInput, after: ServiceState): string[] {
  const target = deployment(after, after.target);
  if (!before || !target) return [];
  const was = byName(before);
  return target.spec.groups.flatMap((group) => {
    const mine = after.replicas.filter((replica) => replica.group === group.name);
    const least = isResting(after) ? 0 : leastOf(group, target, after, actual, now);
    return ['ready', 'unready'].flatMap((phase) => {
      const counted = phase === 'ready' ? new Set(['ready']) : SERVING;
      const left = mine.filter((replica) => counted.has(replica.phase)).length;
      const sent = mine.filter(
        ({ name, phase: now }) =>
          was.get(name)?.phase === phase && LEAVING.has(now) && !hasExited(actual, name),
      );
      return sent.length > 0 && left < least
        ? [
            `group ${group.name} keeps ${left} of at least ${least} while ${sent.length} ${phase} ones are sent away`,
          ]
        : [];
    });
  });
}

/** Where it hands over to its new name, the count is that of both, and so are those that are ready. */
function leastOf(
  { name, replicas }: GroupSpec,
  { spec }: Deployment,
  after: ServiceState,
  { successor }: Actual,
  now: number,
): number {
  const wanted = after.scale?.[name]?.count ?? replicas.min;
  const there = successor?.groups[name];
  if (!successor || !there || there.wanted === 0 || now < successor.failingUntil)
    return wanted - spec.policy.unavailable;
  const ready = there.standInAt.filter((at) => at <= now).length;
  const count = ready > 0 ? there.wanted : Math.max(wanted, there.wanted);
  return count - successor.unavailable - ready - there.beside;
}

/** What has served is not stopped without having been taken out of the routes first. */
function drains({ state: before, actual }: DecisionInput, after: ServiceState): string[] {
  const was = byName(before);
  return after.replicas.flatMap(({ name, phase }) => {
    const old = was.get(name);
    const isAbrupt = old && SERVING.has(old.phase) && (phase === 'stopping' || phase === 'terminating');
    return isAbrupt && !hasExited(actual, name) ? [`${name} is stopped without being drained`] : [];
  });
}

/** What was set aside is neither made the target nor made more of, until it changes or its time is over. */
function quarantine({ state: before, desired, now }: DecisionInput, after: ServiceState): string[] {
  const held = before?.quarantine;
  if (!before || !held || now >= held.until || desired?.service?.digest !== held.digest) return [];
  const isHeld = (number: number | null) => deployment(after, number)?.digest === held.digest;
  const known = namesOf(before);
  const made = after.replicas.filter(({ name, deployment: number }) => !known.has(name) && isHeld(number));
  const isAgain = after.target !== before.target && isHeld(after.target);
  return [
    ...(isAgain ? [`deployment ${after.target} is what is quarantined`] : []),
    ...made.map(({ name }) => `${name} is made of what is quarantined`),
  ];
}

/** Only replicas that were ready are routed, and none on its way out; with a ready one there is a route. */
function routes(after: ServiceState): string[] {
  const routed = after.route?.replicas ?? [];
  const present = byName(after);
  const wrong = routed.flatMap(({ name }) => {
    const replica = present.get(name);
    if (!replica) return [`${name} is routed but does not exist`];
    if (!replica.everReady) return [`${name} is routed but was never ready`];
    return LEAVING.has(replica.phase) ? [`${name} is routed while it is ${replica.phase}`] : [];
  });
  const ready = after.replicas.filter((replica) => replica.phase === 'ready' && replica.endpoint);
  return ready.length > 0 && routed.length === 0
    ? [...wrong, 'nothing is routed though a replica is ready']
    : wrong;
}

/** No step touches what the backend could not show us, nor what is tagged as somebody else's. */
function untouched({ project, service, actual }: DecisionInput, { steps }: Decision): string[] {
  return steps.flatMap((step) => {
    const fact = step.kind === 'publish' ? undefined : actual.replicas[step.replica];
    if (step.kind === 'publish' || !fact || fact.kind === 'missing') return [];
    if (fact.kind === 'unknown') return [`${step.kind} of ${step.replica}, which cannot be seen`];
    const { tags } = fact.instance;
    const isOurs = tags.project === project && tags.service === service && tags.replica === step.replica;
    return isOurs
      ? []
      : [`${step.kind} of ${step.replica}, whose instance is ${tags.service}'s ${tags.replica}`];
  });
}

/** Not converged implies a step or a reason to wait. */
function words({ steps }: Decision, after: ServiceState): string[] {
  const target = deployment(after, after.target);
  const isConverged =
    target !== null &&
    after.replicas.every(
      (replica) => replica.phase === 'ready' && replica.shape === target.shapes[replica.group],
    ) &&
    target.spec.groups.every(
      (group) =>
        after.replicas.filter((replica) => replica.group === group.name).length >= group.replicas.min,
    );
  const isIdle = target === null && after.replicas.length === 0;
  return isConverged || isIdle || steps.length > 0 || after.waiting.length > 0
    ? []
    : ['not converged, yet no step is taken and nothing is waited for'];
}

function hasExited(actual: Actual, name: string): boolean {
  const fact = actual.replicas[name];
  if (fact?.kind === 'missing') return true;
  return fact?.kind === 'present' && (fact.process.kind === 'exited' || fact.process.kind === 'absent');
}

function deployment(state: ServiceState, number: number | null): Deployment | null {
  return state.deployments.find((candidate) => candidate.number === number) ?? null;
}

function isResting({ term }: ServiceState): boolean {
  return term !== undefined && term.kind !== 'started';
}

function byName(state: ServiceState | null): ReadonlyMap<string, Replica> {
  return new Map(state?.replicas.map((replica) => [replica.name, replica]));
}

function namesOf(state: ServiceState | null): ReadonlySet<string> {
  return new Set(state?.replicas.map(({ name }) => name));
}
