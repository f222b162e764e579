// `type: fleet`, `volume` and `gateway`: what services depend on. Read and checked; not reconciled yet.
import { z } from 'zod';
import {
  bool,
  byTag,
  choice,
  choose,
  type Field,
  idleDuration,
  integer,
  matching,
  object,
  shorthand,
  sized,
  text,
  withRules,
  wrong,
} from './fields.ts';
import { env } from './grammar/env.ts';
import { shown } from './problems.ts';
import { BACKENDS, profileShape, tags } from './profiles.ts';
import { resources, size } from './resources.ts';
import { isMapping, type Yaml } from './yaml.ts';

// Fleets

const port = integer(1, 65_535);
const blocks = choose<number | 'auto'>((value) =>
  value === 'auto' ? choice(['auto']) : integer(1, Number.MAX_SAFE_INTEGER),
);

const proxyJump = object({ hostname: text, port: port.nullish(), user: text, identity_file: text });

// 10/8, 172.16/12, 192.168/16 (RFC 1918), 100.64/10 (RFC 6598), 169.254/16 (RFC 3927), fc00::/7 (RFC 4193)
const PRIVATE =
  /^(?:10\.|172\.(?:1[6-9]|2\d|3[01])\.|192\.168\.|127\.|169\.254\.|f[cd][\da-f]{2}:|fe[89ab][\da-f]:)/i;

const host = shorthand(
  (value) => (typeof value === 'string' ? { hostname: value } : value),
  object({
    hostname: text,
    port: port.nullish(),
    user: text.nullish(),
    identity_file: text.nullish(),
    proxy_jump: proxyJump.nullish(),
    internal_ip: matching(
      PRIVATE,
      'a private IP address',
      'Write the address inside the private network.',
    ).nullish(),
    blocks: blocks.nullish(),
  }),
);

const hosts = z.array(
  choose<string | z.output<typeof host>>((value) => (typeof value === 'string' ? text : host)),
);

const sshConfig = object({
  user: text.nullish(),
  port: port.nullish(),
  identity_file: text.nullish(),
  proxy_jump: proxyJump.nullish(),
  hosts,
  network: matching(PRIVATE, 'a private network', 'Write it like `10.0.0.0/24`.').nullish(),
});

const nodesShape = object({
  min: integer(0, Number.MAX_SAFE_INTEGER).nullish(),
  target: integer(0, Number.MAX_SAFE_INTEGER).nullish(),
  max: integer(0, Number.MAX_SAFE_INTEGER).nullish(),
});

type Nodes = z.output<typeof nodesShape>;

const nodes = shorthand(
  expandNodes,
  withRules(nodesShape as Field<Nodes>, ({ min, target, max }, say) => {
    const least = min ?? 0;
    if ((target ?? least) < least) say(['target'], '`target` is below `min`', 'Raise it, or lower `min`.');
    if (max != null && max < least) say(['max'], '`max` is below `min`', 'Raise it, or lower `min`.');
    else if (max != null && max < (target ?? least)) say(['max'], '`max` is below `target`', 'Raise it.');
  }),
).transform(withoutUsualTarget);

export const fleet = object({
  type: choice(['fleet']),
  name: text.nullish(),
  placement: choice(['any', 'cluster']).nullish(),
  blocks: blocks.default(1),
  nodes: nodes.nullish(),
  resources: resources.nullish(),
  reservation: profileShape.reservation,
  backends: profileShape.backends,
  regions: profileShape.regions,
  availability_zones: profileShape.availability_zones,
  instance_types: profileShape.instance_types,
  spot_policy: profileShape.spot_policy,
  retry: profileShape.retry,
  max_price: profileShape.max_price,
  idle_duration: idleDuration.nullish(),
  tags: tags.nullish(),
  backend_options: profileShape.backend_options,
  ssh_config: sshConfig.nullish(),
  env: env.default({}),
});

// Volumes

const volumeShape = {
  type: choice(['volume']),
  name: text.nullish(),
  auto_cleanup_duration: idleDuration.nullish(),
  tags: tags.nullish(),
  size: size.nullish(),
};
const cloudShape = { ...volumeShape, region: text, volume_id: text.nullish() };

const CLOUD_VOLUMES = {
  aws: object({ ...cloudShape, backend: choice(['aws']), availability_zone: text.nullish() }),
  gcp: object({ ...cloudShape, backend: choice(['gcp']), availability_zone: text.nullish() }),
  runpod: object({ ...cloudShape, backend: choice(['runpod']), availability_zone: text.nullish() }).transform(
    ({ availability_zone: _unused, ...rest }) => rest,
  ),
  kubernetes: object({
    ...volumeShape,
    backend: choice(['kubernetes']),
    region: text.default(''),
    claim_name: text.nullish(),
    storage_class_name: text.nullish(),
    access_modes: z.array(text).default(['ReadWriteOnce']),
    read_only: bool.default(false),
  }),
};

export const volume = byTag<object>('backend', CLOUD_VOLUMES);

// Gateways

const certificate = byTag<object>('type', {
  'lets-encrypt': object({ type: choice(['lets-encrypt']) }),
  acm: object({ type: choice(['acm']), arn: text }),
});

export const gateway = object({
  type: choice(['gateway']),
  name: text.nullish(),
  default: bool.nullish(),
  backend: choice(BACKENDS),
  region: text,
  instance_type: sized(1, 1000).nullish(),
  domain: text.nullish(),
  public_ip: bool.default(true),
  certificate: certificate.nullable().default({ type: 'lets-encrypt' }),
  replicas: integer(1, Number.MAX_SAFE_INTEGER).nullish(),
  tags: tags.nullish(),
});

// Private

function expandNodes(value: Yaml): Yaml | ReturnType<typeof wrong> {
  if (isMapping(value)) return value;
  if (typeof value === 'string' && value.includes('..')) {
    const [min = '', max = '', ...rest] = value.replaceAll(' ', '').split('..');
    if (rest.length === 0) return { min: min || null, max: max || null };
  } else if (typeof value === 'bigint' || typeof value === 'string') return { min: value, max: value };
  return wrong(
    `${typeof value === 'string' ? shown(value) : 'this'} is not a number of nodes`,
    'Write `2`, `0..4` or `1..`.',
  );
}

/** The number of nodes to begin with is only worth a word where it is not the least number. */
function withoutUsualTarget(value: Nodes): Nodes {
  if (value === undefined) return value;
  const min = value.min ?? 0;
  const { target, max } = value;
  return target == null || target === min ? { min, max } : { min, target, max };
}
