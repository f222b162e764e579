// `trueup validate`: reads files and folders as a commit would be read, offline, and shows every problem where it is.
import { join, relative } from 'node:path';
import type { ValidateReport } from '../../schemas/api.ts';
import type { Problem } from '../../schemas/errors.ts';
import type { JsonObject } from '../../schemas/json.ts';
import { parsePolicy } from '../../schemas/policy.ts';
import { parseProfiles } from '../../schemas/profiles.ts';
import { parseFile, parseTree } from '../source/parse.ts';
import { type Block, dim, line, plain, strong } from '../view/cells.ts';
import { excerptBlocks } from './excerpt.ts';
import { CommandFailure } from './failure.ts';
import { readTree, type SourceFile } from './folder.ts';
import type { Session } from './session.ts';

export async function validate(
  session: Session,
  paths: readonly string[],
  { json = false }: { json?: boolean },
): Promise<number> {
  const checked = unique(paths.flatMap((path) => checkPath(session.cwd, path)));
  await (json ? session.json(reportOf(checked)) : session.blocks(blocksOf(checked, session.screen().width)));
  if (checked.length === 0) {
    throw new CommandFailure(
      'no configuration file was found',
      'Their names end in .dstack.yml or .dstack.yaml.',
    );
  }
  return checked.every(({ ok }) => ok) ? 0 : 1;
}

// Private

type FileReport = ValidateReport['files'][number];

/** The same JSON, as zod types it. */
type Configuration = NonNullable<FileReport['configuration']>;

interface Checked extends FileReport {
  readonly text: string;
}

function checkPath(cwd: string, path: string): Checked[] {
  const tree = readTree(path, cwd);
  const profiles = parseProfiles(tree.profiles);
  const policy = parsePolicy(tree.policy);
  const context = { root: tree.isAlone ? null : '', profiles: profiles.profiles };
  const parsed = tree.files.map((file) => parseFile(file, context));
  const { conflicts } = parseTree(parsed, policy.policy);
  const clashes = [...conflicts.values()].flat();
  const shown = (file: string) => relative(cwd, join(tree.root, file)) || file;
  const files = parsed.map(({ path, type, configuration, problems }, index): Checked => {
    const all = [
      ...problems,
      ...clashes.filter((problem) => problem.file === path && !problems.includes(problem)),
    ];
    const text = tree.files[index]?.text ?? '';
    return checkedFile(shown(path), text, type, all, configuration);
  });
  const settings = [
    ...settingsFile(tree.policy, 'policy', policy.problems, shown),
    ...settingsFile(tree.profiles, 'profiles', profiles.problems, shown),
  ];
  return [...settings, ...files];
}

/** Only spoken of when something is wrong with it: it is no configuration. */
function settingsFile(
  file: SourceFile | null,
  type: string,
  problems: readonly Problem[],
  shown: (file: string) => string,
): Checked[] {
  return file && problems.length > 0 ? [checkedFile(shown(file.path), file.text, type, problems, null)] : [];
}

function checkedFile(
  path: string,
  text: string,
  type: string | null,
  problems: readonly Problem[],
  configuration: JsonObject | null,
): Checked {
  const ok = problems.every(({ severity }) => severity !== 'error');
  const found = problems.map(({ file: _, ...problem }) => problem);
  return {
    path,
    type,
    ok,
    ...(configuration ? { configuration: configuration as Configuration } : {}),
    problems: found,
    text,
  };
}

function unique(files: readonly Checked[]): Checked[] {
  return [...new Map(files.map((file) => [file.path, file])).values()];
}

function reportOf(files: readonly Checked[]): ValidateReport {
  return { files: files.map(({ text: _, ...file }) => file) };
}

/** More fine files than this are only counted. */
const FINE_SHOWN = 20;

function blocksOf(files: readonly Checked[], width: number): Block[] {
  const fine = files.filter(({ problems }) => problems.length === 0);
  const listed = fine.length > FINE_SHOWN ? [] : fine;
  return [
    ...listed.map(({ path, type }) =>
      line(0, { text: '✓', tone: 'good' as const }, plain(path), dim(type ?? '')),
    ),
    ...(listed.length > 0 && listed.length < files.length ? [line(0)] : []),
    ...files.flatMap(({ path, text, problems }) =>
      problems.flatMap((problem) => excerptBlocks(path, text, problem, width)),
    ),
    ...(files.length > 1 ? [summary(files)] : []),
  ];
}

function summary(files: readonly Checked[]): Block {
  const invalid = files.filter(({ ok }) => !ok).length;
  const errors = files
    .flatMap(({ problems }) => problems)
    .filter(({ severity }) => severity === 'error').length;
  const count = `${files.length} ${files.length === 1 ? 'file' : 'files'}`;
  if (invalid === 0) return line(0, strong(count), plain('valid'));
  return line(0, strong(count), { text: `${invalid} invalid`, tone: 'bad' }, dim(`(${errors} errors)`));
}
