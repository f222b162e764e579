// What services, tasks and dev environments have in common.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration language look like that
import { z } from 'zod';
import { describe, field, object, type Say, type Wrong, wrong } from './fields.ts';
import { env } from './grammar/env.ts';
import { fileMount, repoMount, volumeMount } from './grammar/mounts.ts';
import { numberText } from './grammar/scalars.ts';
import { alternatives, shown } from './problems.ts';
import { profileShape } from './profiles.ts';
import { DEFAULT_RESOURCES, resources } from './resources.ts';
import { about, named } from './spelling.ts';
import { parseInteger } from './units.ts';
import { bool, integer, text, textWhere } from './values.ts';
import type { Yaml } from './yaml-value.ts';

export const PYTHON_VERSIONS = ['3.9', '3.10', '3.11', '3.12', '3.13', '3.14'] as const;

export const python = field(readPython, {
  title: '`3.9` to `3.14`',
  enum: [...PYTHON_VERSIONS, ...PYTHON_VERSIONS.map(Number)],
});
export const commands = z.array(text);

const user = textWhere((value) => {
  const parts = value.split(':');
  const fix = 'Write `user`, `user:group` or their numbers.';
  if (parts.length > 2 || parts.includes('')) return wrong(`${shown(value)} is not a user`, fix);
  return parts.some((part) => (parseInteger(part) ?? 0) < 0)
    ? wrong(`${shown(value)} has a negative id`, fix)
    : value;
});

const shell = textWhere((value) =>
  value === 'sh' || value === 'bash' || value.startsWith('/')
    ? value
    : wrong(`${shown(value)} is not a shell`, 'Write `sh`, `bash` or an absolute path.'),
);

const registryAuth = named(
  'registry_auth',
  'Who pulls the image from a private registry.',
  object({
    username: about(text, 'The name of the account.', 'me'),
    password: about(
      text,
      'Its password or token, best as a reference to a secret.',
      '${{ secrets.REGISTRY }}',
    ),
  }),
);

export const runShape = {
  ...profileShape,
  name: about(
    text.nullish(),
    'The name; it becomes part of host names. Without it the path of the file gives one.',
    'llama',
  ),
  image: about(text.nullish(), 'The container image.', 'vllm/vllm-openai:latest'),
  user: about(
    user.nullish(),
    'Who runs in the container, by name or number, with or without a group; else who the image says.',
    '1000:1000',
  ),
  privileged: about(bool.default(false), 'Whether the container may do what the machine may.', true, false),
  entrypoint: about(
    text.nullish(),
    'Replaces the entrypoint of the image; `commands` then become its arguments.',
    '/bin/serve',
  ),
  working_dir: about(
    text.nullish(),
    'Where commands run: an absolute path, or one below `~`; else where the image says.',
    '/app',
  ),
  home_dir: about(text.default('/root'), 'Read for compatibility; does nothing.'),
  registry_auth: about(
    registryAuth.nullish(),
    'Who pulls the image from a private registry. Both parts may hold `${{ env.X }}` and `${{ secrets.X }}`.',
    { username: 'me', password: '${{ secrets.REGISTRY }}' },
  ),
  python: about(
    python.nullish(),
    'The version of Python in the default image; not together with `image` or `docker`.',
    '3.12',
  ),
  nvcc: about(bool.nullish(), 'Whether the default image has the CUDA compiler.', true, false),
  single_branch: about(
    bool.nullish(),
    'Whether only the current branch of a repository is fetched.',
    false,
    true,
  ),
  env: about(
    env.default({}),
    'Environment variables, as a mapping or a list. A name without value takes it from the secrets of the server.',
    ['HF_TOKEN', 'MODEL=llama'],
  ),
  shell: about(
    shell.nullish(),
    'What runs the commands: `sh`, `bash` or an absolute path; else `sh` with `image` and `bash` without.',
    'bash',
  ),
  resources: about(resources.default(DEFAULT_RESOURCES), 'What each machine must have.', {
    gpu: '24GB..',
    memory: '32GB..',
  }),
  priority: about(
    integer(0, 100).nullish(),
    'Who goes first where there is not enough for all, 0 to 100: what a service of higher priority waits for is left to it. Nothing that runs is ended for it.',
    50,
    0,
  ),
  volumes: about(
    z.array(volumeMount).default([]),
    'Volumes and folders of the machine, and where they appear.',
    ['models:/models', '/mnt/cache:/cache'],
  ),
  docker: about(
    bool.nullish(),
    'Whether the default image has Docker; not together with `image`, `python` or `nvcc`.',
    true,
    false,
  ),
  repos: about(z.array(repoMount).default([]), 'At most one repository that appears in the container.', [
    '.',
  ]),
  files: about(
    z.array(fileMount).default([]),
    'Files and folders beside this file that appear in the container.',
    ['config.yml:/etc/app/config.yml'],
  ),
  dstack: about(
    bool.default(false),
    'Whether the server can be reached from inside through a socket.',
    true,
    false,
  ),
  setup: about(commands.default([]), 'Read for compatibility; does nothing.'),
};

export interface ImageSource {
  readonly image?: string | null | undefined;
  readonly docker?: boolean | null | undefined;
  readonly python?: string | null | undefined;
  readonly nvcc?: boolean | null | undefined;
}

/** The ways to say what a container is made from exclude each other. */
export function imageSourceRules(source: ImageSource, say: Say): void {
  const { image, docker, python: version, nvcc } = source;
  if (image && version) exclude('python', 'image');
  if (docker && image) exclude('docker', 'image');
  if (docker && version) exclude('docker', 'python');
  if (docker && nvcc) exclude('docker', 'nvcc');

  function exclude(key: string, other: string): void {
    say([key], `\`${key}\` and \`${other}\` exclude each other`, 'Remove one of the two.');
  }
}

interface Machine {
  readonly resources?: z.output<typeof resources> | undefined;
  readonly image?: string | null | undefined;
  readonly docker?: boolean | null | undefined;
}

/** The default image runs on x86 with NVIDIA GPUs, TPUs or none; anything else needs an image of its own. */
export function machineRules({ resources: machine, image, docker }: Machine, say: Say): void {
  const fix = 'Set `image` to one made for it.';
  if (machine?.cpu?.arch === 'arm') {
    if (docker)
      say(['resources', 'cpu'], '`docker: true` does not work on ARM', 'Remove `docker`, or use x86.');
    else if (!image) say(['resources', 'cpu'], 'an ARM machine needs an image', fix);
  }
  const gpu = machine?.gpu;
  if (!gpu || image || docker || gpu.count?.max === 0) return;
  const foreign = gpu.vendor ? [gpu.vendor] : (gpu.name ?? []).map(vendorOfName);
  const vendor = foreign.find((name) => name !== null && !['nvidia', 'google'].includes(name));
  if (vendor) say(['resources', 'gpu'], `the default image does not support ${vendor} accelerators`, fix);
}

export function repoRules(repos: readonly unknown[] | undefined, say: Say): void {
  if ((repos?.length ?? 0) > 1) say(['repos', 1], 'only one repository is possible', 'Remove the others.');
}

/** 2 to 41 characters: it becomes part of host names. */
export const NAME = /^[a-z][a-z0-9-]{1,40}$/;
export const GROUP_NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;

// Private

function readPython(value: Yaml): string | Wrong {
  // YAML reads `3.10` as the number 3.1.
  const version = typeof value === 'number' ? numberText(value).replace(/^3\.1$/, '3.10') : value;
  const known = PYTHON_VERSIONS.find((candidate) => candidate === version);
  return (
    known ?? wrong(`${describe(value)} is not a Python version`, `Write ${alternatives(PYTHON_VERSIONS)}.`)
  );
}

const FOREIGN: readonly (readonly [RegExp, string])[] = [
  [/^mi\d{3}[a-z]?$/i, 'amd'],
  [/^gaudi\d?$/i, 'intel'],
  [/^(?:n150|n300|p100a|p150|p300|tt-galaxy-(?:wh|bh))$/i, 'tenstorrent'],
];

function vendorOfName(name: string): string | null {
  return FOREIGN.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}
