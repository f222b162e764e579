// What a scenario speaks of and no commit has: most likely a slip of the pen, and else nobody would notice.
import type { Remark } from '../../schemas/findings.ts';
import { closest } from '../../schemas/problems.ts';
import { type Edition, isNamed } from './behaviours.ts';
import type { Scenario } from './scenario/read.ts';
import type { Selector } from './scenario/replicas.ts';

/** One for each, with its place in the scenario. */
export function straysOf(
  { traffic, behaviours }: Pick<Scenario, 'traffic' | 'behaviours'>,
  editions: readonly Edition[],
): Remark[] {
  const services = new Set(editions.map(({ service }) => service.name));
  const unserved = new Set(traffic.map(({ service }) => service).filter((name) => !services.has(name)));
  const unmade = behaviours.filter(({ selector }) => !editions.some((edition) => names(selector, edition)));
  const fix = (service: string) => {
    const near = closest(service, services);
    return near === null || services.has(service) ? 'Correct it, or remove it.' : `Did you mean \`${near}\`?`;
  };
  return [
    ...[...unserved].map((name) => ({
      path: ['traffic', name],
      message: `no commit has a service \`${name}\``,
      fix: fix(name),
    })),
    ...unmade.map(({ key, selector }) => ({
      path: ['replicas', key],
      message: `no commit has what \`${key}\` is for`,
      fix: fix(selector.service),
    })),
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
