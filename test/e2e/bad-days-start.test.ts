// Bad days at the start: what cannot work is said in one line, with what to do, and leaves nothing behind.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { TestRepo } from '../git.ts';
import { type CommandResult, runToEnd, startDaemon } from './daemon.ts';
import { processesOf } from './processes.ts';
import { newHome } from './repo.ts';

vi.setConfig({ testTimeout: 100_000, hookTimeout: 100_000 });

const home = newHome();
let repo: TestRepo;

beforeAll(() => {
  repo = home.repo();
  repo.commit({ 'README.md': 'no services yet' });
});

afterAll(() => home.remove());

describe('serve refuses', () => {
  test('a port that is taken, and names who has it', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const refused = await serve(home.dataDir, { port });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`127.0.0.1:${port}`);
    expect(refused.stderr).toContain(`pid ${process.pid} (`);
    expect(refused.stderr.split('\n').length).toBeLessThan(5);
    expect(processesOf(home.dataDir)).toEqual([]);
  });

  test('a data dir that another daemon works in, and names that one', async () => {
    const daemon = await startDaemon({ args: ['--repo', repo.dir], dataDir: home.dataDir });
    const refused = await serve(home.dataDir);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`process ${daemon.pid}`);
    expect(refused.stderr).toContain('--data-dir');
    expect((await daemon.status()).services).toEqual([]);
    expect(await daemon.end('SIGINT')).toBe(0);
  });

  test('a data dir with a file in its place', async () => {
    const file = join(home.dir, 'file');
    writeFileSync(file, '');
    expect(await serve(file)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a file is in the way'),
    });
    expect(await serve(join(file, 'below'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a file is in the way'),
    });
  });

  test('a data dir on a full disk, and starts there once there is room', async (context) => {
    const disk = join(home.dir, 'disk');
    mkdirSync(disk);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'trueup-test', disk]);
    if (mounted.status !== 0) return context.skip('only root may make a disk that is full');
    onTestFinished(() => void spawnSync('umount', ['-l', disk]));
    const filler = join(disk, 'filler');
    spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1k', 'count=128']);
    const refused = await serve(join(disk, 'data'));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('the disk is full');
    rmSync(filler);
    spawnSync('mount', ['-o', 'remount,size=512m', disk]);
    const daemon = await startDaemon({ args: ['--repo', repo.dir], dataDir: join(disk, 'data') });
    expect(await daemon.end('SIGINT')).toBe(0);
  });

  test('a data dir that it may not write', async () => {
    // Not even root may make a folder there.
    const refused = await serve('/sys/trueup-data');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      'cannot write the data dir /sys/trueup-data: this user may not write there',
    );
    expect(refused.stderr).toContain('--data-dir');
  });

  test('a repository that is not there', async () => {
    const refused = await runToEnd({
      args: ['--repo', join(home.dir, 'nowhere')],
      dataDir: join(home.dir, 'unused'),
    });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(`there is no folder ${join(home.dir, 'nowhere')}`);
  });

  test('a config file with a mistake, by its line', async () => {
    const config = join(home.dir, 'server.yml');
    writeFileSync(config, `projects:\n  main:\n    repo: ${repo.dir}\n    brnch: main\n`);
    const refused = await runToEnd({ args: ['--config', config], dataDir: join(home.dir, 'unused') });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(`${config}:4:`);
    expect(refused.stderr).toContain('branch');
  });
});

function serve(dataDir: string, more: { readonly port?: number } = {}): Promise<CommandResult> {
  return runToEnd({ args: ['--repo', repo.dir], dataDir, ...more });
}
