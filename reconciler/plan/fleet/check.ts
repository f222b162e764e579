// Judges a decision of a fleet by what must hold of any; run before each is carried out. Shares nothing with the code
// that decides but the shapes.
import type { FleetDecision } from './decide.ts';
import type { FleetInput } from './facts.ts';

/** Rules the decision breaks, in words; empty: none. */
export function checkFleet(input: FleetInput, decision: FleetDecision): string[] {
  const { desired, state: before, actual, now } = input;
  const after = decision.state;
  const known = new Map(before?.machines.map((machine) => [machine.name, machine]));
  const machines = after?.machines ?? [];
  const broken: string[] = [];
  for (const { name } of before?.machines ?? []) {
    const isKept = machines.some((machine) => machine.name === name);
    if (!isKept && actual.machines[name]?.kind !== 'missing')
      broken.push(`${name} is forgotten though its instance may be there`);
  }
  const guests = machines.flatMap(({ guest }) =>
    guest ? [`${guest.service} ${guest.replica} ${guest.attempt}`] : [],
  );
  if (new Set(guests).size < guests.length) broken.push('somebody has two machines');
  if (new Set(machines.map(({ name }) => name)).size < machines.length)
    broken.push('a machine is there twice');
  for (const machine of machines) {
    const { name, number, guest, phase, offer, attempt } = machine;
    const old = known.get(name);
    if (!old && before && number <= before.lastMachine)
      broken.push(`${name} takes a number that was used before`);
    if (
      old &&
      (old.attempt !== attempt || old.offer.backend !== offer.backend || old.offer.region !== offer.region)
    )
      broken.push(`${name} is moved though its instance may be there`);
    if (phase === 'ending' && old && old.phase !== 'ending' && old.guest && isUsed(old.guest, input))
      broken.push(`${name} is ended while ${old.guest.replica} runs on it`);
    const isTaken =
      old?.guest && (!guest || guest.replica !== old.guest.replica || guest.service !== old.guest.service);
    if (old?.guest && isTaken && phase !== 'ending' && isUsed(old.guest, input))
      broken.push(`${name} is taken from ${old.guest.replica}, which runs on it`);
  }
  const limit = desired?.spec.nodes.max ?? Number.POSITIVE_INFINITY;
  const isGrown = machines.some(({ name }) => !known.has(name));
  if (before && isGrown && machines.length > limit)
    broken.push(`it grows to ${machines.length} machines, above ${limit}`);
  for (const step of decision.steps) {
    const fact = actual.machines[step.machine];
    if (fact?.kind === 'unknown') broken.push(`${step.kind} of ${step.machine}, which cannot be seen`);
    const guest = machines.find(({ name }) => name === step.machine)?.guest;
    const isTheirs = !step.of || (step.of.replica === guest?.replica && step.of.attempt === guest.attempt);
    if (step.kind === 'clear' && guest && isTheirs && isUsed(guest, input))
      broken.push(`${step.machine} is cleared of ${guest.replica}, which runs on it`);
    if (fact?.kind === 'present' && fact.instance.tags.replica !== step.machine)
      broken.push(`${step.kind} of ${step.machine}, whose instance is ${fact.instance.tags.replica}`);
  }
  const isMoving = machines.some(({ phase }) => phase !== 'ready');
  // Without a record nothing is known yet, and nothing may be done.
  const lacks = after && desired?.spec.refusal === null && machines.length < desired.spec.nodes.min;
  if ((isMoving || lacks) && decision.steps.length === 0 && (after?.waiting.length ?? 0) === 0)
    broken.push('not as asked, yet no step is taken and nothing is waited for');
  if (decision.wakeAt <= now) broken.push('it is to look again at once, for ever');
  return broken;
}

// Private

/** By its service's own record it neither has left nor gives its machine back; and the machine is there. */
function isUsed(
  guest: { service: string; replica: string; attempt: number },
  { actual }: FleetInput,
): boolean {
  const fact = actual.guests.find(
    ({ service, replica, attempt }) =>
      service === guest.service && replica === guest.replica && attempt === guest.attempt,
  );
  return fact !== undefined && fact.wish === 'staying';
}
