// The workflows to copy hold to the rules that they should teach, and to the Action as it is.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse, parseDocument } from 'yaml';
import { z } from 'zod';
import { ACTION } from './runner.ts';

const FOLDER = fileURLToPath(new URL('../../docs/workflows', import.meta.url));
const OURS = 'OWNER/trueup/action@v1';

const permissions = z.record(z.string(), z.enum(['read', 'write', 'none']));
const concurrency = z.strictObject({ group: z.string(), 'cancel-in-progress': z.boolean() });
const stepSchema = z.strictObject({ uses: z.string(), with: z.record(z.string(), z.unknown()).optional() });
const workflowSchema = z.strictObject({
  name: z.string(),
  on: z.record(z.string(), z.unknown()),
  permissions,
  concurrency: concurrency.optional(),
  jobs: z.record(
    z.string(),
    z.strictObject({
      if: z.string().optional(),
      'runs-on': z.string(),
      'timeout-minutes': z.int(),
      strategy: z.unknown().optional(),
      environment: z.string().optional(),
      concurrency: concurrency.optional(),
      permissions,
      steps: z.array(stepSchema),
    }),
  ),
});

const actionSchema = z.object({
  inputs: z.record(z.string(), z.object({ description: z.string() })),
  outputs: z.record(z.string(), z.object({ description: z.string() })),
  runs: z.object({ using: z.string(), main: z.string() }),
});
const action = actionSchema.parse(parse(readFileSync(join(ACTION, 'action.yml'), 'utf8')));

const workflows = readdirSync(FOLDER).map((name) => {
  const text = readFileSync(join(FOLDER, name), 'utf8');
  return { name, text, workflow: workflowSchema.parse(parse(text)) };
});

describe.each(workflows)('$name', ({ text, workflow }) => {
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps);

  test('gives nothing to all jobs, and to each what it needs', () => {
    expect(workflow.permissions).toEqual({});
    for (const job of jobs) {
      const mode = modeOf(job);
      const needed = mode === 'plan' ? ['checks'] : ['deployments', 'statuses'];
      const writes = Object.keys(job.permissions).filter((name) => job.permissions[name] === 'write');
      expect(writes.toSorted()).toEqual(['id-token', 'pull-requests', ...needed].toSorted());
      expect(job.permissions).toMatchObject({ contents: 'read' });
    }
  });

  test('runs on nothing that lends rights to strangers', () => {
    const events = Object.keys(workflow.on);
    const known = ['pull_request', 'push', 'workflow_dispatch', 'schedule'];
    expect(events.filter((event) => !known.includes(event))).toEqual([]);
    expect(text).not.toContain('pull_request_target');
  });

  test('pins actions of others by their commit, and checks out without leaving a token', () => {
    for (const { uses, with: inputs } of steps.filter((step) => step.uses !== OURS)) {
      expect(uses).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
      expect(text).toMatch(new RegExp(`${uses} # v\\d+\\.\\d+\\.\\d+`));
      expect(inputs).toMatchObject({ 'persist-credentials': false });
    }
  });

  test('queues applies, and lets a newer plan end an older one', () => {
    for (const job of jobs) {
      const queue = job.concurrency ?? workflow.concurrency;
      const isPlan = modeOf(job) === 'plan';
      expect(queue).toMatchObject({ 'cancel-in-progress': isPlan });
      expect(queue?.group.includes('github.ref')).toBe(isPlan);
    }
  });

  test('uses the Action with inputs that it has, and no text of strangers in a script', () => {
    const given = steps.filter((step) => step.uses === OURS).flatMap((step) => Object.keys(step.with ?? {}));
    expect(given.filter((name) => !(name in action.inputs))).toEqual([]);
    expect(given).toContain('server');
    expect(text).not.toMatch(/^\s*run:/m);
  });

  test('is YAML without anything to warn of', () => {
    const { errors, warnings } = parseDocument(text, { uniqueKeys: true });
    expect([...errors, ...warnings]).toEqual([]);
  });
});

test('action.yml says everything that the manual says, and runs what is committed', () => {
  const manual = readFileSync(fileURLToPath(new URL('../../docs/action.md', import.meta.url)), 'utf8');
  const names = [...Object.keys(action.inputs), ...Object.keys(action.outputs)];
  expect(names.filter((name) => !manual.includes(`\`${name}\``))).toEqual([]);
  expect(action.runs).toEqual({ using: 'node24', main: 'dist/index.js' });
});

function modeOf({ steps }: { readonly steps: readonly z.infer<typeof stepSchema>[] }): 'plan' | 'apply' {
  const { mode } = z
    .object({ mode: z.enum(['plan', 'apply']).default('plan') })
    .parse(steps.find((step) => step.uses === OURS)?.with);
  return mode;
}
