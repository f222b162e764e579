// What a key of the store is of: `<project>` is the project's own, `<project>/<service>` a service's, and
// `<project>/fleet:<name>` (or `volume:`) what services need around them. No service has a colon in its name.

export type Kind = 'fleet' | 'volume';

export function nameAround(kind: Kind, name: string): string {
  return `${kind}:${name}`;
}

/** Of what services need around them: what it is, and its name. null: it is a service, or the project itself. */
export function aroundOf(name: string): { readonly kind: Kind; readonly name: string } | null {
  const [kind, ...rest] = name.split(':');
  return (kind === 'fleet' || kind === 'volume') && rest.length === 1 ? { kind, name: rest[0] ?? '' } : null;
}
