// What a scenario speaks of and no commit has: most likely a slip of the pen, and else nobody would notice.
import { type Edition, isNamed } from './behaviours.ts';
import type { Scenario } from './scenario/read.ts';
import type { Selector } from './scenario/replicas.ts';

/** In words, one for each. */
export function straysOf(
  { traffic, behaviours }: Pick<Scenario, 'traffic' | 'behaviours'>,
  editions: readonly Edition[],
): string[] {
  const services = new Set(editions.map(({ service }) => service.name));
  const unserved = new Set(traffic.map(({ service }) => service).filter((name) => !services.has(name)));
  const unmade = behaviours.filter(({ selector }) => !editions.some((edition) => names(selector, edition)));
  return [
    ...[...unserved].map((name) => `\`traffic\` names \`${name}\`; no commit has such a service`),
    ...unmade.map(({ key }) => `\`replicas\` names \`${key}\`; no commit has such a one`),
  ];
}

// Private

function names({ service, group, commit }: Selector, edition: Edition): boolean {
  return (
    (service === '*' || service === edition.service.name) &&
    (group === null || group in edition.service.shapes) &&
    (commit === null || isNamed(edition, commit))
  );
}
