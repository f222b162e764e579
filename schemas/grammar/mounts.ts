// What is put into a replica: volumes, files and repositories, each with its short spelling.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration language look like that
import { z } from 'zod';
import {
  choose,
  describe,
  type Field,
  isWrong,
  object,
  shorthand,
  type Wrong,
  withRules,
  wrong,
} from '../fields.ts';
import { shown } from '../problems.ts';
import { about, named } from '../spelling.ts';
import { bool, choice, text, textWhere } from '../values.ts';
import { isMapping, type Yaml } from '../yaml-value.ts';

export type VolumeMount =
  | { readonly name: string | string[]; readonly path: string }
  | { readonly instance_path: string; readonly path: string; readonly optional: boolean };

/** An absolute path without `..`, spelled the one way. */
const mountPath: Field<string> = textWhere((value) => {
  if (!value.startsWith('/')) return wrong(`${shown(value)} is not an absolute path`, 'Begin it with `/`.');
  const parts = value.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..'))
    return wrong(`${shown(value)} leaves its folder with \`..\``, 'Write the path without it.');
  return `/${parts.join('/')}`;
});

const volumeNames = z.array(text);
const volumeName: Field<string | string[]> = choose(
  (value): Field<string | string[]> => (Array.isArray(value) ? volumeNames : text),
  [text, volumeNames],
);

const networkVolume = named(
  'volume_mount',
  'A volume.',
  object({
    name: about(
      volumeName,
      'Its name, or several of which any one will do. May hold `${{ dstack.job_num }}`.',
      'models',
    ),
    path: about(mountPath, 'Where it appears, an absolute path.', '/models'),
  }),
);
const instanceVolume = named(
  'instance_mount',
  'A folder of the machine.',
  object({
    instance_path: about(mountPath, 'The folder, an absolute path.', '/mnt/cache'),
    path: about(mountPath, 'Where it appears, an absolute path.', '/cache'),
    optional: about(
      bool.default(false),
      'Whether a machine that cannot have it will do as well.',
      true,
      false,
    ),
  }),
);

const shortInstanceVolume: Field<VolumeMount> = shorthand(expandVolume, instanceVolume, []);
const shortNetworkVolume: Field<VolumeMount> = shorthand(expandVolume, networkVolume, []);

export const volumeMount: Field<VolumeMount> = choose(
  (value): Field<VolumeMount> | Wrong => {
    const expanded = expandVolume(value);
    if (isWrong(expanded)) return expanded;
    return isMapping(expanded) && 'instance_path' in expanded ? shortInstanceVolume : shortNetworkVolume;
  },
  [
    { title: '`name:/path` or `/instance/path:/path`', type: 'string', pattern: '^[^:]+:/[^:]*$' },
    networkVolume,
    instanceVolume,
  ],
);

const targetPath: Field<string> = textWhere((value) =>
  /^(?:[a-z]:[\\/]|[\\/]{2}[^\\/]+[\\/]+[^\\/])/i.test(value)
    ? wrong(`${shown(value)} is a Windows path`, 'Write the Unix path inside the container.')
    : value,
);

export const fileMount = shorthand(
  expandFile,
  named(
    'file',
    'A file or folder of the repository.',
    object({
      local_path: about(text, 'Where it is, from the folder of this file.', 'config.yml'),
      path: about(
        targetPath,
        'Where it appears; a relative path begins at `working_dir`.',
        '/etc/app/config.yml',
      ),
    }),
  ),
  { title: '`path` or `path:target`', type: 'string' },
);

const repoPath: Field<string> = textWhere((value) =>
  /^~[^/]/.test(value)
    ? wrong(`${shown(value)} names another user's home`, 'Use `~/` or an absolute path.')
    : value,
);

const repoShape = named(
  'repo',
  'A repository: this one by `local_path`, or another by `url`.',
  object({
    local_path: about(text.nullish(), 'A folder of this repository, from the folder of this file.', '.'),
    url: about(text.nullish(), 'Another repository.', 'https://github.com/me/models'),
    branch: about(text.nullish(), 'Its branch.', 'main'),
    hash: about(text.nullish(), 'Its commit.', '4f1c2d3'),
    path: about(
      repoPath.default('.'),
      'Where it appears; a relative path begins at `working_dir`.',
      '/app',
      '.',
    ),
    if_exists: about(
      choice(['error', 'skip']).default('error'),
      'What to do where something is already.',
      'skip',
      'error',
    ),
  }),
);

export const repoMount = shorthand(
  expandRepo,
  withRules(repoShape as Field<z.output<typeof repoShape>>, ({ local_path, url }, say) => {
    if (local_path && url)
      say(['url'], '`local_path` and `url` exclude each other', 'Remove one of the two.');
    if (!local_path && !url) say([], 'a repository needs `local_path` or `url`', 'Add one of the two.');
  }),
  { title: '`path` or `url`, with `:target`', type: 'string' },
);

// Private

function expandVolume(value: Yaml): Yaml | Wrong {
  if (typeof value !== 'string') return value;
  const [source, path, ...rest] = value.split(':');
  if (source === undefined || path === undefined || rest.length > 0) {
    return wrong(`${shown(value)} is not a volume`, 'Write `name:/path` or `/path/on/the/instance:/path`.');
  }
  return source.includes('/') ? { instance_path: source, path } : { name: source, path };
}

function expandFile(value: Yaml): Yaml | Wrong {
  if (typeof value !== 'string') return mappingOr(value, 'a file');
  const parts = splitPaths(value);
  const [local, path = local] = parts;
  if (local === undefined || path === undefined || parts.length > 2) {
    return wrong(`${shown(value)} has too many parts`, 'Write `path` or `path:path/in/the/container`.');
  }
  return { local_path: local, path };
}

function expandRepo(value: Yaml): Yaml | Wrong {
  if (typeof value !== 'string') return mappingOr(value, 'a repository');
  const [first = '', second = '', ...others] = value.split(':');
  const isUrl = value.includes(':') && (first.includes('@') || second.startsWith('//'));
  const parts = isUrl ? [`${first}:${second}`, ...others] : splitPaths(value);
  if (parts.length > 2)
    return wrong(`${shown(value)} has too many parts`, 'Use the long form, with `url` and `path`.');
  const path = parts.length === 2 ? { path: parts[1] ?? '' } : {};
  return isUrl ? { url: parts[0] ?? '', ...path } : { local_path: parts[0] ?? '', ...path };
}

/** Splits at colons, but not behind a Windows drive. */
function splitPaths(value: string): string[] {
  const parts = value.split(':');
  const [drive = '', behind = ''] = parts;
  if (!/^[a-z]$/i.test(drive) || !/^[\\/]/.test(behind)) return parts;
  return [`${drive}:${behind}`, ...parts.slice(2)];
}

function mappingOr(value: Yaml, what: string): Yaml | Wrong {
  return isMapping(value)
    ? value
    : wrong(`${what} is expected, not ${describe(value)}`, 'Write text or a mapping.');
}
