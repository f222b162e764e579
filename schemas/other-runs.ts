// `type: task` and `type: dev-environment`: read and checked like services, but not reconciled.
import { z } from 'zod';
import { type Field, object, type Say, withRules } from './fields.ts';
import { taskPort } from './grammar/ports.ts';
import { shown } from './problems.ts';
import { runReferenceRules, taskReferenceRules } from './references.ts';
import { DEFAULT_RESOURCES, resources } from './resources.ts';
import { commands, GROUP_NAME, imageSourceRules, machineRules, repoRules, runShape } from './run.ts';
import { about, named } from './spelling.ts';
import { choice, integer, matching, offDuration, text } from './values.ts';

const ports = z.array(taskPort);
const nodeCount = integer(1);

const nodeGroup = named(
  'node_group',
  'Machines of one kind.',
  object({
    name: about(
      matching(GROUP_NAME, 'a group name', 'Use at most 40 lower-case letters, digits and `-`.').nullish(),
      'What it is called; its position if not given.',
      'workers',
    ),
    nodes: about(nodeCount.default(1), 'How many machines.', 2, 1),
    resources: about(resources.default(DEFAULT_RESOURCES), 'What each machine must have.', { gpu: 'H100:8' }),
    commands: about(commands.default([]), 'What each machine runs.', ['python train.py']),
    ports: about(ports.default([]), 'Ports that can be reached while it runs.', [8080]),
  }),
);

type NodeGroup = z.output<typeof nodeGroup>;

const taskShape = named(
  'task',
  'Something that runs and ends. Read and checked; not reconciled.',
  object({
    ...runShape,
    type: about(choice(['task']), 'Makes it a task.', 'task'),
    commands: about(commands.default([]), 'What it runs. It needs these or `image`.', ['python train.py']),
    ports: about(ports.default([]), 'Ports that can be reached while it runs.', [8080, '80:8000']),
    nodes: about(nodeCount.nullish(), 'How many machines.', 2, 1),
    groups: about(
      z
        .array(nodeGroup)
        .transform((list) => list.map((group, index) => ({ ...group, name: group?.name ?? String(index) })))
        .nullish(),
      'Machines of several kinds, in place of `nodes`, `commands` and `ports`.',
      [{ name: 'workers', nodes: 2, commands: ['python work.py'] }],
    ),
  }),
);

type Task = z.output<typeof taskShape>;

export const task: Field<Task> = withRules(taskShape as Field<Task>, (value, say) => {
  imageSourceRules(value, say);
  repoRules(value.repos, say);
  taskReferenceRules(value, say);
  if (value.groups) return groupRules(value, value.groups, say);
  if (value.commands?.length === 0 && !value.image)
    say([], 'a task needs `commands` or `image`', 'Add what is to be run.');
  machineRules(value, say);
});

const environmentShape = named(
  'dev-environment',
  'A machine to work on. Read and checked; not reconciled.',
  object({
    ...runShape,
    type: about(choice(['dev-environment']), 'Makes it a dev environment.', 'dev-environment'),
    ports: about(ports.default([]), 'Ports that can be reached while it runs.', [8080]),
    ide: about(
      choice(['vscode', 'cursor', 'windsurf', 'zed']).nullish(),
      'The editor that is opened in it.',
      'vscode',
    ),
    version: about(text.nullish(), 'The version of the editor.', '1.99.0'),
    init: about(commands.default([]), 'What is run once it has started.', [
      'pip install -r requirements.txt',
    ]),
    inactivity_duration: about(
      offDuration.transform((value) => (value === 'off' ? undefined : value)).nullish(),
      'Ends it when nobody is connected for so long.',
      '2h',
      'off',
    ),
  }),
);

type Environment = z.output<typeof environmentShape>;

export const devEnvironment: Field<Environment> = withRules(
  environmentShape as Field<Environment>,
  (value, say) => {
    imageSourceRules(value, say);
    repoRules(value.repos, say);
    runReferenceRules(value, say);
    machineRules(value, say);
    const { entrypoint, dstack, inactivity_duration: inactivity, version, ide } = value;
    if (entrypoint != null) say(['entrypoint'], 'a dev environment has no `entrypoint`', 'Remove it.');
    if (dstack && inactivity != null) {
      say(['inactivity_duration'], '`dstack: true` counts as activity', 'Remove one of the two.');
    }
    if (version && !ide) say(['version'], '`version` is that of an `ide`', 'Add `ide`.');
    if (version && ide === 'windsurf' && !/^.+@[a-f0-9]+$/.test(version)) {
      say(['version'], `${shown(version)} is not a version of Windsurf`, 'Write it as `version@commit`.');
    }
  },
);

// Private

function groupRules(value: Partial<Task>, groups: readonly NodeGroup[], say: Say): void {
  if (value.nodes) say(['nodes'], '`nodes` and `groups` exclude each other', 'Remove one of the two.');
  if (groups.length === 0)
    say(['groups'], '`groups` is an empty list', 'Describe a group, or remove the line.');
  const elsewhere = {
    commands: value.commands?.length,
    ports: value.ports?.length,
    entrypoint: value.entrypoint != null,
  };
  for (const [key, given] of Object.entries(elsewhere)) {
    if (given)
      say([key], `\`${key}\` does not belong beside groups`, 'Write `commands` and `ports` in the groups.');
  }
  const seen = new Set<string>();
  for (const [index, group] of groups.entries()) {
    const name = group?.name ?? String(index);
    const path = ['groups', index];
    if (seen.has(name)) say(path, `two groups are called ${shown(name)}`, 'Give each a name of its own.');
    seen.add(name);
    if (group?.commands?.length === 0 && value.image == null) {
      say(path, `the group ${shown(name)} needs \`commands\``, 'Add them, or an `image` to the task.');
    }
    machineRules(
      { resources: group?.resources, image: value.image, docker: value.docker },
      (inside, message, fix) => say([...path, ...inside], message, fix),
    );
  }
}
