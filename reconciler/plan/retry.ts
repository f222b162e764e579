// What `retry`, where it is written as an object, allows: only so long after an incident, and only for some events, is a
// group healed. Without it, always. A rollout that has something to return to is judged by its own rules instead.
import type { GroupSpec } from '../../schemas/desired.ts';
import type { NewEvent } from '../../schemas/events.ts';
import type { Deployment, Incident, RetryEvent, ServiceState } from '../../schemas/rollout.ts';
import { durationText } from '../../schemas/units.ts';
import { goodOf, isCurrent, isRolling, targetOf } from './deployments.ts';
import { wantedReplicas } from './scale.ts';

/** Opens an incident, or adds to the one there is: its clock goes on from its beginning. */
export function noteIncident(
  state: ServiceState,
  group: string,
  event: RetryEvent,
  now: number,
): ServiceState {
  const retry = targetOf(state)?.spec.retry;
  if (!retry || isGuarded(state)) return state;
  const before = state.incidents?.[group];
  const keeps = before && (!retry.on.includes(before.event) || before.event === event);
  if (keeps) return state;
  const incident: Incident = { event, since: before?.since ?? now, isOver: before?.isOver ?? false };
  return { ...state, incidents: { ...state.incidents, [group]: incident } };
}

/** An incident ends when its group has what it wants again. Says once that one was given up. */
export function endIncidents(
  state: ServiceState,
  target: Deployment,
  now: number,
): { readonly state: ServiceState; readonly events: readonly NewEvent[] } {
  const { incidents, ...rest } = state;
  if (!incidents) return { state, events: [] };
  const events: NewEvent[] = [];
  const open = Object.entries(incidents).filter(([name]) => isOpen(state, target, name));
  const next = open.map(([name, incident]) => {
    const reason = incident.isOver ? null : gaveUp(state, target, name, now);
    if (reason === null) return [name, incident] as const;
    events.push({ service: state.service, event: 'retry-over', reason });
    return [name, { ...incident, isOver: true }] as const;
  });
  return { state: open.length > 0 ? { ...rest, incidents: Object.fromEntries(next) } : rest, events };
}

/** Why nothing more is made of a group; null: it is healed. */
export function gaveUp(state: ServiceState, target: Deployment, group: string, now: number): string | null {
  const { retry, groups } = target.spec;
  const incident = state.incidents?.[group];
  if (!retry || !incident || isGuarded(state)) return null;
  const whose = groups.length > 1 ? `group ${group}: ` : '';
  if (!retry.on.includes(incident.event))
    return `${whose}\`retry\` is for ${retry.on.join(', ')} only, and this is ${incident.event}`;
  if (now - incident.since < retry.durationMs) return null;
  return `${whose}\`retry\` gave up ${durationText(retry.durationMs / 1000)} after the ${incident.event}`;
}

// Private

/** What served before still does, or is returned to: a candidate that fails is the rollout's business. */
function isGuarded(state: ServiceState): boolean {
  return isRolling(state) && goodOf(state) !== null;
}

function isOpen(state: ServiceState, target: Deployment, name: string): boolean {
  const group = target.spec.groups.find((each) => each.name === name);
  if (!group || !target.spec.retry || isGuarded(state)) return false;
  return readyIn(state, target, group) < wantedReplicas(group, state);
}

function readyIn({ replicas }: ServiceState, target: Deployment, { name }: GroupSpec): number {
  return replicas.filter(
    (replica) => replica.group === name && replica.phase === 'ready' && isCurrent(replica, target),
  ).length;
}
