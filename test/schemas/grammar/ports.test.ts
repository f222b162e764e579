import { expect, test } from 'vitest';
import { servicePort, taskPort } from '../../../schemas/grammar/ports.ts';
import { read } from './read.ts';

test.each([
  ['8000', { local_port: 80, container_port: 8000 }, { local_port: 8000, container_port: 8000 }],
  ['"8000"', { local_port: 80, container_port: 8000 }, { local_port: 8000, container_port: 8000 }],
  ['"81:8000"', { local_port: 81, container_port: 8000 }, { local_port: 81, container_port: 8000 }],
  ['"*:8000"', 'is not a port', { container_port: 8000 }],
  ['{container_port: 1}', { container_port: 1 }, { container_port: 1 }],
  ['0', 'below 1', 'below 1'],
  ['65536', 'above 65535', 'above 65535'],
  ['"8000:"', 'is not a port', 'is not a port'],
  ['" 80"', { local_port: 80, container_port: 80 }, 'is not a port'],
  ['80.0', { local_port: 80, container_port: 80 }, 'is not a port'],
  ['eighty', 'is not a port', 'is not a port'],
  ['[8000]', 'is not a port', 'is not a port'],
])('%s', (yaml, service, task) => {
  for (const [schema, expected] of [
    [servicePort, service],
    [taskPort, task],
  ] as const) {
    const found = read(schema, yaml);
    if (typeof expected === 'string') expect(found).toContain(expected);
    else expect(found).toEqual(expected);
  }
});
