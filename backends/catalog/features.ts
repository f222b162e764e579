// What backends can do beyond running a container, as dstack 0.22 (2026) has it of each.
import type { Feature } from './query.ts';

/** A backend that is not known here can do nothing more. */
export function hasFeature(backend: string, feature: Feature): boolean {
  return BACKENDS[feature].has(backend);
}

// Private

/** Those that sell whole machines; the others sell containers. */
const MACHINES: ReadonlySet<string> = new Set([
  'amddevcloud',
  'aws',
  'azure',
  'cloudrift',
  'crusoe',
  'cudo',
  'digitalocean',
  'gcp',
  'hotaisle',
  'jarvislabs',
  'kubernetes',
  'lambda',
  'nebius',
  'oci',
  'seeweb',
  'tensordock',
  'verda',
  'vultr',
]);

const BACKENDS: { readonly [feature in Feature]: ReadonlySet<string> } = {
  privileged: MACHINES,
  volumes: MACHINES,
  reservation: new Set(['aws', 'gcp']),
};
