// `trueup validate`: reads files and folders as a commit would be read, offline, and shows every problem where it is.
// What only a repository decides (names from paths, paths that leave it, names claimed twice) is an error inside of
// one; elsewhere nobody knows what lies around the files, and it is a warning.
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { ValidateReport } from '../../schemas/api.ts';
import type { Problem } from '../../schemas/errors.ts';
import type { JsonObject } from '../../schemas/json.ts';
import { parsePolicy } from '../../schemas/policy.ts';
import { parseProfiles } from '../../schemas/profiles.ts';
import { parseFile, parseTree } from '../source/parse.ts';
import { type Block, dim, line, plain, strong } from '../view/cells.ts';
import { annotation } from './annotation.ts';
import { excerptBlocks } from './excerpt.ts';
import { CommandFailure } from './failure.ts';
import { readTree, type SourceFile } from './folder.ts';
import type { Session } from './session.ts';

export interface ValidateOptions {
  readonly format: 'text' | 'json' | 'github';
  readonly json?: boolean;
}

export async function validate(
  session: Session,
  paths: readonly string[],
  { format, json = false }: ValidateOptions,
): Promise<number> {
  const checked = unique(paths.flatMap((path) => checkPath(session.cwd, path)));
  await show(session, checked, json ? 'json' : format);
  if (checked.length === 0) {
    throw new CommandFailure(
      'no configuration file was found',
      'Their names end in .dstack.yml or .dstack.yaml.',
    );
  }
  return checked.every(({ ok }) => ok) ? 0 : 1;
}

// Private

async function show(
  session: Session,
  files: readonly Checked[],
  format: ValidateOptions['format'],
): Promise<void> {
  switch (format) {
    case 'json':
      return session.json(reportOf(files));
    case 'github':
      return session.print(annotationsOf(files, session.env.GITHUB_WORKSPACE ?? session.cwd));
    case 'text':
      return session.blocks(blocksOf(files, session.screen().width));
  }
}

type FileReport = ValidateReport['files'][number];

/** The same JSON, as zod types it. */
type Configuration = NonNullable<FileReport['configuration']>;

interface Checked extends FileReport {
  readonly absolute: string;
  readonly text: string;
}

function checkPath(cwd: string, path: string): Checked[] {
  const tree = readTree(path, cwd);
  const profiles = parseProfiles(tree.profiles);
  const policy = parsePolicy(tree.policy);
  const folder = tree.isAlone ? null : folderInRepository(tree.root);
  const context = { root: folder, profiles: profiles.profiles };
  const parsed = tree.files.map((file) =>
    parseFile({ ...file, path: join(folder ?? '', file.path) }, context),
  );
  const { conflicts } = parseTree(parsed, policy.policy);
  const severity = folder === null ? 'warning' : 'error';
  const clashes = [...conflicts.values()].flat().map((problem): Problem => ({ ...problem, severity }));
  const checked = checker(cwd, tree.root);
  const files = tree.files.map(({ path, text }, index): Checked => {
    const { path: file, type = null, configuration = null, problems = [] } = parsed[index] ?? { path };
    const all = [...problems, ...clashes.filter((problem) => problem.file === file)];
    return checked({ path, text }, type, all, configuration);
  });
  const settings = [
    ...settingsFile(tree.policy, 'policy', policy.problems, checked),
    ...settingsFile(tree.profiles, 'profiles', profiles.problems, checked),
  ];
  const asked = settings.filter(({ absolute }) => absolute === resolve(cwd, path));
  if (asked.length > 0) return asked;
  // They are no configurations: unasked, they are spoken of only when something is wrong with them.
  const wrong = settings.filter(({ problems }) => problems.length > 0);
  const refused = tree.refused.map((problem) =>
    checked({ path: problem.file, text: '' }, null, [problem], null),
  );
  return [...wrong, ...[...files, ...refused].sort((a, b) => (a.absolute < b.absolute ? -1 : 1))];
}

/** Where a folder is in its repository, '' for the root of one; null outside of any. */
function folderInRepository(folder: string): string | null {
  for (let above = folder; ; above = dirname(above)) {
    if (existsSync(join(above, '.git'))) return relative(above, folder).split(sep).join('/');
    if (above === dirname(above)) return null;
  }
}

function settingsFile(
  file: SourceFile | null,
  type: string,
  problems: readonly Problem[],
  checked: Checker,
): Checked[] {
  return file ? [checked(file, type, problems, null)] : [];
}

type Checker = (
  file: SourceFile,
  type: string | null,
  problems: readonly Problem[],
  configuration: JsonObject | null,
) => Checked;

function checker(cwd: string, root: string): Checker {
  return (file, type, problems, configuration) => {
    const absolute = join(root, file.path);
    return {
      path: relative(cwd, absolute) || file.path,
      type,
      ok: problems.every(({ severity }) => severity !== 'error'),
      ...(configuration ? { configuration: configuration as Configuration } : {}),
      problems: problems.map(({ file: _, ...problem }) => problem),
      absolute,
      text: file.text,
    };
  };
}

function unique(files: readonly Checked[]): Checked[] {
  return [...new Map(files.map((file) => [file.path, file])).values()];
}

function reportOf(files: readonly Checked[]): ValidateReport {
  return { files: files.map(({ text: _, absolute: __, ...file }) => file) };
}

/** Workflow commands, which GitHub shows beside the line they speak of; a log shows them as lines. */
function annotationsOf(files: readonly Checked[], workspace: string): string {
  return files
    .flatMap(({ absolute, text, problems }) =>
      problems.map((problem) => annotation(relative(workspace, absolute), text, problem)),
    )
    .join('');
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
  const problems = files.flatMap((file) => file.problems);
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const count = counted(files.length, 'file');
  if (invalid === 0) return line(0, strong(count), plain('valid'));
  return line(
    0,
    strong(count),
    { text: `${invalid} invalid`, tone: 'bad' },
    dim(`(${counted(errors, 'error')})`),
  );
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
