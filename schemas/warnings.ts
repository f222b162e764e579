// What is allowed but probably not meant: said as warnings, which stop nothing.
import type { Remark } from './findings.ts';
import { hasNumericWeekday } from './grammar/cron.ts';
import { groupsOf } from './groups.ts';
import type { Gpu } from './resources.ts';
import type { Service } from './service.ts';

export function warningsOf(service: Service): readonly Remark[] {
  const groups = groupsOf(service) ?? [];
  const key = service.groups ? 'groups' : 'replicas';
  return [
    ...gpuWarnings(service.resources.gpu, ['resources', 'gpu']),
    ...groups.flatMap(({ resources }, index) => gpuWarnings(resources.gpu, [key, index, 'resources', 'gpu'])),
    ...commandWarnings(service.commands, ['commands']),
    ...groups.flatMap(({ commands }, index) => commandWarnings(commands, [key, index, 'commands'])),
    ...cronWarnings(service),
  ];
}

// Private

/** No machine has more; `gpu: 4090` and `A100:80` ask for as many. */
const MANY_GPUS = 32;

function gpuWarnings(gpu: Gpu | null, path: Remark['path']): Remark[] {
  const remarks: Remark[] = [];
  const count = gpu?.count.min ?? 0;
  if (count > MANY_GPUS) {
    const fix = `Write the name (\`RTX${count}\`) or the memory (\`${count}GB\`) if you meant that.`;
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
