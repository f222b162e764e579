// `type: fleet`, `volume` and `gateway`: what services depend on.
import { z } from 'zod';
import { byTag, choose, describe, type Field, object, shorthand, withRules, wrong } from './fields.ts';
import { isPrivateAddress, isPrivateNetwork } from './grammar/addresses.ts';
import { env } from './grammar/env.ts';
import { shown } from './problems.ts';
import { BACKENDS, profileShape, tags } from './profiles.ts';
import { resources, size } from './resources.ts';
import { about, named } from './spelling.ts';
import { bool, choice, idleDuration, integer, readInteger, sized, text, textWhere } from './values.ts';
import { isMapping, type Yaml } from './yaml-value.ts';

// Fleets

const port = integer(1, 65_535);
const blocks = choose<number | 'auto'>(
  (value) => {
    if (value === 'auto') return choice(['auto']);
    if (readInteger(value) !== undefined) return integer(1);
    return wrong(
      `${describe(value)} is neither a number nor \`auto\``,
      'Write a number from 1 up, or `auto`.',
    );
  },
  [integer(1), choice(['auto'])],
);

const proxyJump = named(
  'proxy_jump',
  'A host on the way.',
  object({
    hostname: about(text, 'Its host name or address.', 'bastion.example.org'),
    port: about(port.nullish(), 'The port of SSH.', 22, 22),
    user: about(text, 'Who logs in.', 'ubuntu'),
    identity_file: about(text, 'The private key to log in with.', '~/.ssh/id_ed25519'),
  }),
);

const privateAddress = textWhere((value) =>
  isPrivateAddress(value)
    ? value
    : wrong(`${shown(value)} is not a private IP address`, 'Write the address inside the private network.'),
);

const privateNetwork = textWhere((value) =>
  isPrivateNetwork(value)
    ? value
    : wrong(`${shown(value)} is not a private network`, 'Write it like `10.0.0.0/24`.'),
);

const host = named(
  'host',
  'A machine that is there already.',
  object({
    hostname: about(text, 'Its host name or address.', '10.0.0.5'),
    port: about(port.nullish(), 'The port of SSH.', 22, 22),
    user: about(text.nullish(), 'Who logs in.', 'ubuntu'),
    identity_file: about(text.nullish(), 'The private key to log in with.', '~/.ssh/id_ed25519'),
    proxy_jump: about(proxyJump.nullish(), 'A host on the way.'),
    internal_ip: about(privateAddress.nullish(), 'Its address in the private network.', '10.0.0.5'),
    blocks: about(blocks.nullish(), 'Into how many parts it is split.', 'auto', 1),
  }),
);

const hosts = z.array(
  choose<string | z.output<typeof host>>(
    (value): Field<string | z.output<typeof host>> => (isMapping(value) ? host : text),
    [text, host],
  ),
);

const sshConfig = named(
  'ssh_config',
  'Machines that are there already.',
  object({
    user: about(text.nullish(), 'Who logs in.', 'ubuntu'),
    port: about(port.nullish(), 'The port of SSH.', 22, 22),
    identity_file: about(text.nullish(), 'The private key to log in with.', '~/.ssh/id_ed25519'),
    proxy_jump: about(proxyJump.nullish(), 'A host on the way.'),
    hosts: about(hosts, 'The machines.', ['10.0.0.5', '10.0.0.6']),
    network: about(privateNetwork.nullish(), 'The private network of the hosts.', '10.0.0.0/24'),
  }),
);

const nodesShape = named(
  'nodes',
  'A number of nodes, written out.',
  object({
    min: about(integer(0).nullish(), 'At least this many.', 0, 0),
    target: about(integer(0).nullish(), 'As many as there are at first.', 1),
    max: about(integer(0).nullish(), 'At most this many.', 4),
  }),
);

type Nodes = z.output<typeof nodesShape>;

const nodes = shorthand(
  expandNodes,
  withRules(nodesShape as Field<Nodes>, ({ min, target, max }, say) => {
    const least = min ?? 0;
    if ((target ?? least) < least) say(['target'], '`target` is below `min`', 'Raise it, or lower `min`.');
    if (max != null && max < least) say(['max'], '`max` is below `min`', 'Raise it, or lower `min`.');
    else if (max != null && max < (target ?? least)) say(['max'], '`max` is below `target`', 'Raise it.');
  }),
  {
    title: 'number of nodes: `2`, `0..4` or `1..`',
    anyOf: [
      { type: 'integer', minimum: 0 },
      { type: 'string', pattern: '^[-+ 0-9_.]+$' },
    ],
  },
).transform(withoutUsualTarget);

export const fleet = named(
  'fleet',
  'Machines that services run on, kept when those end. `ssh_config` is read and checked; such machines are not used yet.',
  object({
    type: about(choice(['fleet']), 'Makes it a fleet.', 'fleet'),
    name: about(text.nullish(), 'The name that others call it by.', 'gpu-pool'),
    placement: about(
      choice(['any', 'cluster']).nullish(),
      'Whether its machines are close together.',
      'cluster',
      'any',
    ),
    blocks: about(blocks.default(1), 'Into how many parts a machine is split, or `auto`.', 'auto', 1),
    nodes: about(
      nodes.nullish(),
      'How many machines: a number or a range. Needs a cloud; not together with `ssh_config`.',
      '0..4',
    ),
    resources: about(resources.nullish(), 'What each machine must have.', { gpu: '24GB..' }),
    reservation: about(profileShape.reservation, 'The reserved capacity to use.', 'cr-0123456789'),
    backends: about(profileShape.backends, 'Where its machines may be.', ['aws', 'gcp']),
    regions: about(profileShape.regions, 'The regions they may be in.', ['eu-west-1']),
    availability_zones: about(profileShape.availability_zones, 'The zones they may be in.', ['eu-west-1a']),
    instance_types: about(profileShape.instance_types, 'The types they may be of.', ['p5.48xlarge']),
    spot_policy: about(
      profileShape.spot_policy,
      'Whether machines may be taken away at any time, for less money.',
      'auto',
      'on-demand',
    ),
    retry: about(
      profileShape.retry,
      'Whether a machine that cannot be had is tried again.',
      { duration: '4h' },
      false,
    ),
    max_price: about(profileShape.max_price, 'The highest price of a machine, in USD per hour.', 2.5),
    idle_duration: about(
      idleDuration.nullish(),
      'How long an idle machine is kept beyond the least number of `nodes`.',
      '1h',
      '3d',
    ),
    tags: about(tags.nullish(), 'Labels of what is made in the cloud.', { team: 'search' }),
    backend_options: about(profileShape.backend_options, 'Options that only one backend knows.', [
      { type: 'vastai', min_reliability: 0.95 },
    ]),
    ssh_config: about(sshConfig.nullish(), 'Machines that are there already, reached through SSH.', {
      user: 'ubuntu',
      identity_file: '~/.ssh/id_ed25519',
      hosts: ['10.0.0.5'],
    }),
    env: about(env.default({}), 'Environment variables of the agents on `ssh_config` hosts.', {
      HTTP_PROXY: 'http://10.0.0.1:3128',
    }),
  }),
);

// Volumes

const volumeShape = {
  type: about(choice(['volume']), 'Makes it a volume.', 'volume'),
  name: about(text.nullish(), 'The name that others call it by.', 'models'),
  auto_cleanup_duration: about(
    idleDuration.nullish(),
    'Removes it when nobody uses it for so long.',
    '30d',
    'off',
  ),
  tags: about(tags.nullish(), 'Labels of what is made in the cloud.', { team: 'search' }),
  size: about(size.nullish(), 'How big it is; not needed for one that exists.', '500GB'),
};
const cloudShape = {
  ...volumeShape,
  region: about(text, 'The region it is in.', 'eu-west-1'),
  volume_id: about(text.nullish(), 'The id of a volume that exists.', 'vol-0123456789'),
};
const zone = about(text.nullish(), 'The zone it is in.', 'eu-west-1a');

const CLOUD_VOLUMES = {
  aws: named(
    'volume_aws',
    'A volume at aws.',
    object({ ...cloudShape, backend: about(choice(['aws']), 'Where it is.'), availability_zone: zone }),
  ),
  gcp: named(
    'volume_gcp',
    'A volume at gcp.',
    object({ ...cloudShape, backend: about(choice(['gcp']), 'Where it is.'), availability_zone: zone }),
  ),
  runpod: named(
    'volume_runpod',
    'A volume at runpod.',
    object({ ...cloudShape, backend: about(choice(['runpod']), 'Where it is.'), availability_zone: zone }),
  ).transform(({ availability_zone: _unused, ...rest }) => rest),
  kubernetes: named(
    'volume_kubernetes',
    'A volume in a Kubernetes cluster.',
    object({
      ...volumeShape,
      backend: about(choice(['kubernetes']), 'Where it is.'),
      region: about(text.default(''), 'Means nothing here.'),
      claim_name: about(text.nullish(), 'A claim that exists.', 'models'),
      storage_class_name: about(text.nullish(), 'The class of a new one.', 'ssd'),
      access_modes: about(
        z.array(text).default(['ReadWriteOnce']),
        'Who may use it at once.',
        ['ReadWriteMany'],
        ['ReadWriteOnce'],
      ),
      read_only: about(bool.default(false), 'Whether it can only be read.', true, false),
    }),
  ),
};

export type Volume = {
  [B in keyof typeof CLOUD_VOLUMES]: z.output<(typeof CLOUD_VOLUMES)[B]>;
}[keyof typeof CLOUD_VOLUMES];

export const volume = byTag<Volume>('backend', CLOUD_VOLUMES);

// Gateways

type Certificate = { readonly type: 'lets-encrypt' } | { readonly type: 'acm'; readonly arn: string };

const certificate = byTag<Certificate>('type', {
  'lets-encrypt': named(
    'certificate_lets_encrypt',
    "A certificate of Let's Encrypt.",
    object({ type: about(choice(['lets-encrypt']), 'Who issues it.') }),
  ),
  acm: named(
    'certificate_acm',
    'A certificate of the AWS Certificate Manager.',
    object({
      type: about(choice(['acm']), 'Who issues it.'),
      arn: about(text, 'Its name there.', 'arn:aws:acm:eu-west-1:123456789012:certificate/x'),
    }),
  ),
});

export const gateway = named(
  'gateway',
  'The public entrance to services. Read and checked: the proxies of trueup are the entrance, and nothing is made for it.',
  object({
    type: about(choice(['gateway']), 'Makes it a gateway.', 'gateway'),
    name: about(text.nullish(), 'The name that others call it by.', 'edge'),
    default: about(bool.nullish(), 'Whether services without `gateway` are reached through it.', true),
    backend: about(choice(BACKENDS), 'Where it is.', 'aws'),
    region: about(text, 'The region it is in.', 'eu-west-1'),
    instance_type: about(sized(1, 1000).nullish(), 'The type of its machine.', 't3.small'),
    domain: about(text.nullish(), 'The domain of the services behind it.', 'example.org'),
    public_ip: about(bool.default(true), 'Whether it has a public address.', false, true),
    certificate: about(
      certificate.nullable().default({ type: 'lets-encrypt' }),
      'Who issues its certificate; null for none.',
      { type: 'lets-encrypt' },
      { type: 'lets-encrypt' },
    ),
    replicas: about(integer(1).nullish(), 'How many there are.', 2, 1),
    tags: about(tags.nullish(), 'Labels of what is made in the cloud.', { team: 'search' }),
  }),
);

export type Fleet = z.output<typeof fleet>;
export type Gateway = z.output<typeof gateway>;

// Private

function expandNodes(value: Yaml): Yaml | ReturnType<typeof wrong> {
  if (isMapping(value)) return value;
  if (typeof value === 'string' && value.includes('..')) {
    const [min = '', max = '', ...rest] = value.replaceAll(' ', '').split('..');
    if (rest.length === 0) return { min: min || null, max: max || null };
  } else if (['bigint', 'boolean', 'string'].includes(typeof value)) return { min: value, max: value };
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
