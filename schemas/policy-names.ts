// Which services `trueup.yml` speaks of: a name that no service has is most likely a slip, and would silently do nothing.
import type { Problem } from './errors.ts';
import type { Remark } from './findings.ts';
import type { PolicyFile } from './policy-file.ts';
import { closest, type Path, shown } from './problems.ts';
import { namesService } from './windows.ts';

/** A name, or a pattern with `*`, and where it stands. */
export interface Mention extends Pick<Problem, 'file' | 'line' | 'column' | 'path'> {
  readonly name: string;
}

/** Names in `prune` are left out: those are of services that go. */
export function mentionedIn({ services, suspend, windows }: PolicyFile): { name: string; path: Path }[] {
  const listed = (names: readonly string[] | null | undefined, path: Path) =>
    (names ?? []).map((name, index) => ({ name, path: [...path, index] }));
  return [
    ...Object.keys(services ?? {}).map((name) => ({ name, path: ['services', name] })),
    ...(typeof suspend === 'object' ? listed(suspend?.services, ['suspend', 'services']) : []),
    ...(windows ?? []).flatMap((window, index) => listed(window.services, ['windows', index, 'services'])),
  ];
}

/** Warnings about names that none of `services` has. */
export function strangers(mentions: readonly Mention[], services: readonly string[]): Problem[] {
  return mentions
    .filter(({ name }) => !services.some((service) => namesService([name], service)))
    .map(({ name, ...place }) => ({ ...place, ...wordsFor(name, services), severity: 'warning' }));
}

// Private

function wordsFor(name: string, services: readonly string[]): Pick<Remark, 'message' | 'fix'> {
  const near = closest(name, services);
  const message = `there is no service ${shown(name)}`;
  return { message, fix: near ? `Did you mean \`${near}\`?` : 'Correct the name, or remove it.' };
}
