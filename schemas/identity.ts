// Names for what was asked (revision) and for what a process is made of (shape), and what a changed field does.
// Both hashes outlive releases: a different answer for the same file would restart services that nobody changed.
import { createHash } from 'node:crypto';
import type { FileMount, GroupSpec } from './desired.ts';
import { canonical, type JsonObject } from './json.ts';

export type FieldEffect = 'route' | 'scale' | 'placement' | 'replace';

/** 8 hex digits over a service's sparse configuration. */
export function revisionOf(sparse: JsonObject): string {
  return hash(sparse, 8);
}

/**
 * 12 hex digits over the process of a group. Members that say nothing are left out, so that a new kind of member
 * changes no shape; a mount counts by its content, so that moving it inside the repository changes none either.
 */
export function shapeOf(group: Pick<GroupSpec, 'process'>): string {
  const { files, repos, ...rest } = group.process;
  const made = { ...rest, files: files.map(contentOf), repos: repos.map(contentOf) };
  return hash(Object.fromEntries(Object.entries(made).filter(([, value]) => !saysNothing(value))), 12);
}

/** 64 hex digits over what a plan binds: the same for the same change, whenever and by whatever version it is planned. */
export function planDigest(bound: unknown): string {
  return hash(bound, 64);
}

/** What a change of a top-level (or group) field of a service does to its replicas. */
export function fieldEffect(field: string): FieldEffect {
  return EFFECTS[field] ?? 'replace';
}

// Private

/** Part of every hash: a new way to hash gets a new version, and the old one stays for what is deployed. */
const VERSION = 'v1:';

function hash(value: unknown, digits: number): string {
  return createHash('sha256')
    .update(VERSION + canonical(value))
    .digest('hex')
    .slice(0, digits);
}

function contentOf(mount: FileMount): Partial<FileMount> {
  return mount.hash === '' ? mount : { target: mount.target, hash: mount.hash };
}

function saysNothing(value: unknown): boolean {
  if (value === null || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

const TABLE: { readonly [effect in Exclude<FieldEffect, 'replace'>]: readonly string[] } = {
  route: ['model', 'gateway', 'https', 'auth', 'strip_prefix', 'rate_limits', 'probes'],
  scale: [
    'replicas',
    'groups',
    'scaling',
    'priority',
    'retry',
    'schedule',
    'max_duration',
    'stop_duration',
    'idle_duration',
    'utilization_policy',
    'creation_policy',
    'tags',
  ],
  placement: [
    'backends',
    'regions',
    'availability_zones',
    'instance_types',
    'instances',
    'spot_policy',
    'max_price',
    'reservation',
    'fleets',
    'backend_options',
    'resources',
  ],
};

// Without a prototype, because a field may have any name, `constructor` too.
const EFFECTS: { readonly [field: string]: FieldEffect } = Object.assign(
  Object.create(null),
  ...Object.entries(TABLE).map(([effect, fields]) =>
    Object.fromEntries(fields.map((field) => [field, effect])),
  ),
);
