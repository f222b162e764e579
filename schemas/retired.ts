// Backends that are still spelled in configuration files, and that nothing runs at any more.

/** The day from which on, UTC. `local`, which dstack removed on 2026-06-09, is a backend of ours. */
export const RETIRED: { readonly [backend: string]: string } = {
  tensordock: '2025-11-25',
  cudo: '2026-07-09',
};

export function isRetired(backend: string): boolean {
  return Object.hasOwn(RETIRED, backend);
}

/** Why a service that names only retired backends cannot be placed; null when it names another, or none. */
export function onlyRetired(
  backends: readonly string[] | null,
): { readonly message: string; readonly fix: string } | null {
  if (backends === null || backends.length === 0 || !backends.every(isRetired)) return null;
  const gone = backends.map((backend) => `\`${backend}\` was retired on ${RETIRED[backend]}`);
  return {
    message: `no backend is left: ${gone.join(', ')}`,
    fix: 'Name another backend in `backends`, or remove the line.',
  };
}
