// What a plain process of this machine cannot give, and what to do about it.
import { isAbsolute, normalize } from 'node:path';
import type { ProcessSpec } from '../../schemas/desired.ts';

export interface Refusal {
  readonly message: string;
  readonly fix: string;
}

/** The first thing in the way; null when there is none. */
export function refuses(process: ProcessSpec): Refusal | null {
  return RULES.find(({ applies }) => applies(process))?.refusal ?? null;
}

// Private

interface Rule {
  readonly applies: (process: ProcessSpec) => boolean;
  readonly refusal: Refusal;
}

const RULES: readonly Rule[] = [
  needsContainers('image', ({ image }) => image !== null),
  needsContainers('docker', ({ docker }) => docker),
  needsContainers('privileged', ({ privileged }) => privileged),
  needsContainers('nvcc', ({ nvcc }) => nvcc),
  needsContainers('user', ({ user }) => user !== null),
  needsContainers('volumes', ({ volumes }) => volumes.some(({ optional }) => optional !== true)),
  {
    applies: ({ workingDir }) => workingDir !== null && leaves(workingDir),
    refusal: {
      message:
        'the `local` backend runs plain processes, each in a folder of its own: `working_dir` leaves it',
      fix: 'make `working_dir` relative, or use `cd` in `commands`',
    },
  },
  {
    applies: ({ commands, entrypoint }) =>
      entrypoint === null && commands.every((item) => item.trim() === ''),
    refusal: {
      message: 'the `local` backend runs plain processes, and there is no command to run',
      fix: 'add `commands`',
    },
  },
];

function needsContainers(field: string, applies: Rule['applies']): Rule {
  return {
    applies,
    refusal: {
      message: `the \`local\` backend runs plain processes: \`${field}\` needs a container engine`,
      fix: `remove \`${field}\`, or use a backend with containers`,
    },
  };
}

function leaves(folder: string): boolean {
  const path = normalize(folder.replace(/^~(\/|$)/, './'));
  return isAbsolute(path) || path === '..' || path.startsWith('../');
}
