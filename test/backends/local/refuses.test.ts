import { expect, test } from 'vitest';
import { refuses } from '../../../backends/local/refuses.ts';
import type { ProcessSpec } from '../../../schemas/desired.ts';
import { processSpec } from '../builders.ts';

test.each<[string, Partial<ProcessSpec>]>([
  ['image', { image: 'vllm/vllm-openai' }],
  ['docker', { docker: true }],
  ['privileged', { privileged: true }],
  ['nvcc', { nvcc: true }],
  ['user', { user: 'nobody' }],
  ['volumes', { volumes: [{ name: 'models', path: '/models' }] }],
  ['working_dir', { workingDir: '/srv' }],
  ['working_dir', { workingDir: '~/../..' }],
  ['commands', { commands: [] }],
])('%s is refused, with what to do', (field, over) => {
  expect(refuses(processSpec(over))?.fix).toContain(`\`${field}\``);
});

test.each<[string, Partial<ProcessSpec>]>([
  ['plain commands', {}],
  ['a relative working directory', { workingDir: '~/app' }],
  ['an optional volume', { volumes: [{ instance_path: '/cache', path: '/cache', optional: true }] }],
  ['an entrypoint without commands', { entrypoint: 'serve', commands: [] }],
])('%s is not refused', (_, over) => {
  expect(refuses(processSpec(over))).toBeNull();
});
