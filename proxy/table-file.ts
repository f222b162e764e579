// The last table on disk: what a proxy serves by when it starts and no daemon is there.
// All proxies share the file. Each writes before it acknowledges, so it is never older than what all acknowledged.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RouteTable } from '../schemas/routes.ts';

export function saveTable(folder: string, table: RouteTable): void {
  const path = join(folder, 'table.json');
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, JSON.stringify(table), { mode: 0o600 });
  renameSync(fresh, path);
}

/** null when there is none, or none that can be read. */
export function loadTable(folder: string): RouteTable | null {
  try {
    const table: unknown = JSON.parse(readFileSync(join(folder, 'table.json'), 'utf8'));
    return isTable(table) ? table : null;
  } catch {
    return null;
  }
}

// Private

/** The file is ours and written whole; this tells it from one of another make. */
function isTable(value: unknown): value is RouteTable {
  if (typeof value !== 'object' || value === null) return false;
  const table = value as { readonly [member: string]: unknown };
  return (
    typeof table.store === 'string' &&
    typeof table.epoch === 'number' &&
    typeof table.generation === 'number' &&
    Array.isArray(table.routes) &&
    Array.isArray(table.tokens)
  );
}
