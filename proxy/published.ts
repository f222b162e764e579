// Which routes every proxy serves by: what a rollout may rely on before it stops a replica.
import type { RouteTable } from '../schemas/routes.ts';

/**
 * By `<project>/<service>`, the newest route version that all have acknowledged. `acked` holds, for each living proxy,
 * the newest table it acknowledged; one that acknowledged none (null) holds everything back.
 */
export function publishedVersions(acked: readonly (RouteTable | null)[]): ReadonlyMap<string, number> {
  const [first, ...others] = acked.map(versionsOf);
  const published = new Map<string, number>();
  for (const [key, version] of first ?? []) {
    const versions = [version, ...others.map((other) => other.get(key) ?? -1)];
    const least = Math.min(...versions);
    if (least >= 0) published.set(key, least);
  }
  return published;
}

// Private

function versionsOf(table: RouteTable | null): ReadonlyMap<string, number> {
  return new Map((table?.routes ?? []).map((route) => [`${route.project}/${route.service}`, route.version]));
}
