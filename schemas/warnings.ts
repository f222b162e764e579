// What is allowed but probably not meant: said as warnings, which stop nothing.
import type { Remark } from './findings.ts';
import { hasNumericWeekday } from './grammar/cron.ts';
import { groupsOf } from './groups.ts';
import type { Gpu } from './resources.ts';
import { isRetired, RETIRED } from './retired.ts';
import type { Service } from './service.ts';
import type { Fleet, Gateway, Volume } from './surroundings.ts';

export function serviceWarnings(service: Service): readonly Remark[] {
  const groups = groupsOf(service) ?? [];
  const key = service.groups ? 'groups' : 'replicas';
  return [
    ...gpuWarnings(service.resources.gpu, ['resources', 'gpu']),
    ...groups.flatMap(({ resources }, index) => gpuWarnings(resources.gpu, [key, index, 'resources', 'gpu'])),
    ...commandWarnings(service.commands, ['commands']),
    ...groups.flatMap(({ commands }, index) => commandWarnings(commands, [key, index, 'commands'])),
    ...cronWarnings(service),
    ...scalingWarnings(service),
    ...withoutEffect(service),
    ...backendWarnings(service),
  ];
}

/** What the parser of the language lets pass, and its server does not. */
export function fleetWarnings(fleet: Fleet): readonly Remark[] {
  const both = fleet.nodes && fleet.ssh_config;
  const neither = !fleet.nodes && !fleet.ssh_config;
  const unsplit = {
    path: ['blocks'],
    message: '`blocks` has no effect yet: a machine runs one replica',
    fix: 'Do not rely on it.',
  };
  const apart = {
    path: ['placement'],
    message: '`placement: cluster` has no effect yet: each machine is wherever it is cheapest',
    fix: 'Name one of `backends` and `regions` for machines that are to be close together.',
  };
  const fix = 'Write `nodes` for machines of a cloud, `ssh_config` for those that are there already.';
  return [
    ...backendWarnings(fleet),
    ...(fleet.blocks !== 1 ? [unsplit] : []),
    ...(fleet.placement === 'cluster' && fleet.nodes ? [apart] : []),
    ...(both ? [{ path: ['ssh_config'], message: '`nodes` and `ssh_config` exclude each other', fix }] : []),
    ...(neither ? [{ path: [], message: 'a fleet needs `nodes` or `ssh_config`', fix }] : []),
  ];
}

export function gatewayWarnings({ replicas, certificate }: Gateway): readonly Remark[] {
  const remarks: Remark[] = [];
  const path = ['replicas'];
  if ((replicas ?? 1) > MOST_GATEWAYS) {
    remarks.push({ path, message: `a gateway has at most ${MOST_GATEWAYS} replicas`, fix: 'Write fewer.' });
  }
  if ((replicas ?? 1) > 1 && certificate?.type === 'lets-encrypt') {
    const message = "Let's Encrypt certificates work for one replica only";
    remarks.push({ path, message, fix: 'Set `certificate` to null or to one of `type: acm`.' });
  }
  return remarks;
}

export function volumeWarnings(volume: Volume): readonly Remark[] {
  const external =
    'volume_id' in volume ? volume.volume_id : 'claim_name' in volume ? volume.claim_name : null;
  const remarks: Remark[] = [];
  if (volume.size == null && !external) {
    remarks.push({
      path: [],
      message: 'a new volume needs a `size`',
      fix: 'Add it, or the id of one that exists.',
    });
  }
  if ((volume.auto_cleanup_duration ?? -1) > 0) {
    const message = external
      ? 'a volume that existed before is not cleaned up'
      : '`auto_cleanup_duration` has no effect: a volume is never deleted';
    remarks.push({ path: ['auto_cleanup_duration'], message, fix: 'Remove the line.' });
  }
  return remarks;
}

// Private

const MOST_GATEWAYS = 3;

/** No machine has more; `gpu: 4090` and `A100:80` ask for as many. */
const MANY_GPUS = 32;

function gpuWarnings(gpu: Gpu | null, path: Remark['path']): Remark[] {
  const remarks: Remark[] = [];
  const count = gpu?.count.min ?? 0;
  if (count > MANY_GPUS) {
    const name = gpu?.name?.length ? '' : `the name (\`RTX${count}\`) or `;
    const fix = `Write ${name}the memory (\`${count}GB\`) if you meant that.`;
    remarks.push({ path, message: `this asks for ${count} GPUs in one machine`, fix });
  }
  const vendor = gpu?.name?.find((name) =>
    /^(?:nvidia|amd|google|tpu|intel|tenstorrent|true|false)$/i.test(name),
  );
  if (vendor !== undefined) {
    const fix = 'Put a colon after a vendor, as in `nvidia:A100`; write a count as a number.';
    remarks.push({ path, message: `this asks for a GPU with the name \`${vendor}\``, fix });
  }
  return remarks;
}

function commandWarnings(commands: readonly string[], path: Remark['path']): Remark[] {
  return commands.flatMap((command, index) =>
    /\$\{\{\s*secrets\./.test(command)
      ? [
          {
            path: [...path, index],
            message: 'secrets are not filled in here',
            fix: 'Put it in `env`, and use `$NAME`.',
          },
        ]
      : [],
  );
}

function backendWarnings({ backends }: Pick<Service, 'backends'>): Remark[] {
  return (backends ?? []).flatMap((backend, index) =>
    isRetired(backend)
      ? [
          {
            path: ['backends', index],
            message: `\`${backend}\` was retired on ${RETIRED[backend]}: nothing runs there any more`,
            fix: 'Remove it, or name another.',
          },
        ]
      : [],
  );
}

/** What is read and kept, and followed by nothing yet: whoever relies on it should know. */
const WITHOUT_EFFECT: readonly (readonly [
  keyof Service,
  isAsked: (service: Service) => unknown,
  why: string,
])[] = [
  ['rate_limits', ({ rate_limits }) => rate_limits.length, 'requests are not limited'],
  ['gateway', ({ gateway }) => gateway, 'the service is reached at the address of this server'],
  ['instances', ({ instances }) => instances, 'it may run on other machines too'],
];

function withoutEffect(service: Service): Remark[] {
  return WITHOUT_EFFECT.filter(([, isAsked]) => isAsked(service)).map(([field, , why]) => ({
    path: [field],
    message: `\`${field}\` has no effect yet: ${why}`,
    fix: 'Do not rely on it.',
  }));
}

function scalingWarnings({ scaling, replicas }: Service): Remark[] {
  if (!scaling || replicas) return [];
  const message = '`scaling` has no effect: there is always one replica';
  return [{ path: ['scaling'], message, fix: 'Write for example `replicas: 1..4`.' }];
}

function cronWarnings({ schedule }: Service): Remark[] {
  return (schedule?.cron ?? []).flatMap((expression, index) =>
    hasNumericWeekday(expression)
      ? [
          {
            path: ['schedule', 'cron', index],
            message: 'weekday numbers count from Sunday (0) here, but from Monday (0) in dstack',
            fix: 'Write names: `mon`, `tue` ...',
          },
        ]
      : [],
  );
}
