import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createGpuMeter, type GpuMeter } from '../../../backends/local/gpu-meter.ts';

const PATH = process.env.PATH;
const folders: string[] = [];

afterEach(async () => {
  process.env.PATH = PATH;
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

/** Puts a program of that name first on the path: what a driver brings, in so far as it is asked. */
async function withDriver(answer: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'trueup-gpus-'));
  folders.push(folder);
  const program = join(folder, 'nvidia-smi');
  await writeFile(program, `#!/bin/sh\n[ "$1" = --query-gpu=utilization.gpu ] && printf '${answer}'\n`);
  await chmod(program, 0o700);
  process.env.PATH = `${folder}${delimiter}${PATH}`;
}

/** Asks until it knows, or no longer. */
async function known(meter: GpuMeter): Promise<readonly number[] | undefined> {
  for (let tries = 0; tries < 200; tries++) {
    const percents = meter();
    if (percents) return percents;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return undefined;
}

test('each GPU is told of, in percent', async () => {
  await withDriver('3\\n97\\n');
  expect(await known(createGpuMeter(true))).toEqual([3, 97]);
});

test('where one cannot tell, or there is none, nothing is known', async () => {
  await withDriver('3\\n[N/A]\\n');
  expect(await known(createGpuMeter(true))).toBeUndefined();
  expect(createGpuMeter(false)()).toBeUndefined();
});
