// Everything that a scenario says will happen at its time: commits noticed, faults told, machines taken, crashes.
import type { Machine } from '../../backends/fake/cloud.ts';
import { createRandom } from '../../backends/fake/random.ts';
import type { Fake } from '../../backends/fake.ts';
import { aroundOf } from '../../schemas/keys.ts';
import type { Clock } from '../clock.ts';
import { OWNER, PROJECT } from './daemon.ts';
import type { Scenario } from './scenario/read.ts';
import { EVERY_STEP } from './scenario/schema.ts';
import type { Story } from './story.ts';
import { type Spell, spellsOf, type Taking, takingsOf } from './weather.ts';
import type { World } from './world.ts';

export interface Happenings {
  readonly scenario: Scenario;
  readonly clock: Clock;
  readonly world: World;
  readonly backends: ReadonlyMap<string, Fake>;
  readonly story: Pick<Story, 'add'>;
}

export function scheduleAll({ scenario, clock, world, backends, story }: Happenings): void {
  const random = createRandom(scenario.seed);
  for (const { atMs } of scenario.hasWebhook ? scenario.commits : [])
    clock.after(atMs, () => world.wake(PROJECT));
  for (const { atMs, downMs, isDatabaseLost } of scenario.crashes === EVERY_STEP ? [] : scenario.crashes)
    clock.after(atMs, () => {
      world.crash(downMs);
      if (isDatabaseLost) world.loseDatabase();
    });
  for (const { name, faults } of scenario.backends) {
    const cloud = backends.get(name);
    for (const spell of spellsOf(name, faults, scenario.durationMs)) tellSpell(spell, scenario, clock, story);
    for (const taking of cloud ? takingsOf(faults, scenario.durationMs) : [])
      clock.after(taking.atMs, () => take(world, cloud as Fake, taking, random, story));
  }
}

// Private

function tellSpell(
  { backend, kind, about, fromMs, toMs }: Spell,
  scenario: Scenario,
  clock: Clock,
  story: Pick<Story, 'add'>,
): void {
  if (fromMs === toMs || fromMs >= scenario.durationMs) return;
  const reason = `${backend}: ${kind}${about}`;
  clock.after(fromMs, () => story.add('fault-began', { backend, reason }));
  if (toMs < scenario.durationMs)
    clock.after(toMs, () => story.add('fault-ended', { backend, reason: `${reason} is over` }));
}

function take(
  world: World,
  cloud: Fake,
  { count, noticeMs, isVictim }: Taking,
  random: () => number,
  story: Pick<Story, 'add'>,
): void {
  const alive = cloud.live().filter(({ tags }) => tags.owner === OWNER);
  for (const machine of chosen(alive.filter(isVictim), count, random)) {
    world.take(cloud, machine.id, noticeMs);
    const { service, group, replica } = machine.runs ?? machine.tags;
    const when = noticeMs > 0 ? `will be taken away in ${noticeMs / 1000} s` : 'was taken away';
    story.add('instance-lost', {
      service,
      group,
      replica,
      backend: cloud.name,
      reason: `${machineText(machine)} ${when}`,
    });
  }
}

/** A fleet's has a name of its own. */
function machineText({ tags, runs }: Machine): string {
  if (!aroundOf(tags.service)) return `the machine of ${tags.replica}`;
  return runs ? `${tags.replica}, the machine of ${runs.replica},` : `${tags.replica}, which nobody uses,`;
}

function chosen(machines: readonly Machine[], count: number, random: () => number): Machine[] {
  const left = [...machines];
  const drawn = Array.from({ length: Math.min(count, left.length) }, () =>
    left.splice(Math.floor(random() * left.length), 1),
  );
  return drawn.flat();
}
