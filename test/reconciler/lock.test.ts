import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRunning, processIdentity } from '../../backends/host/process-identity.ts';
import { acquire, lockOwner } from '../../reconciler/lock.ts';
import { Failure } from '../../schemas/errors.ts';

const url = 'http://127.0.0.1:3000';
let dir: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trueup-lock-'));
});
afterEach(async () => {
  await Promise.all(children.splice(0).map(end));
  await rm(dir, { recursive: true, force: true });
});

describe('the lock of a data dir', () => {
  it('names its owner', async () => {
    const before = Date.now();
    await acquire(dir, { url });
    const owner = await lockOwner(dir);
    expect(owner).toMatchObject({ ...processIdentity(process.pid), url });
    expect(owner?.since).toBeGreaterThanOrEqual(before);
    expect(JSON.parse(await readFile(join(dir, 'lock'), 'utf8'))).toEqual(owner);
  });

  it('is refused to a second, who is told which process, since when, where, and what to do', async () => {
    const first = await starter();
    expect(await first.outcome).toBe('owner');
    const owner = await lockOwner(dir);
    const failure = await acquire(dir, { url }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({
      kind: 'invalid',
      message: `the data dir ${dir} is in use: process ${first.child.pid} has had it since ${new Date(owner?.since ?? 0).toISOString()} at http://starter`,
      fix: `Stop that trueup (kill ${first.child.pid}), or use another folder with --data-dir.`,
    });
  });

  it('can be had again once it was released, and released twice does no harm', async () => {
    const first = await acquire(dir, { url });
    await first.release();
    expect(await readdir(dir)).toEqual([]);
    await acquire(dir, { url: 'http://second' });
    await first.release();
    expect(await lockOwner(dir)).toMatchObject({ url: 'http://second' });
  });

  it('of a process that was killed is taken over', async () => {
    const first = await starter();
    expect(await first.outcome).toBe('owner');
    await end(first.child);
    expect(await lockOwner(dir)).toBeNull();
    await acquire(dir, { url });
    expect(await lockOwner(dir)).toMatchObject({ pid: process.pid });
    expect(await readdir(dir)).toEqual(['lock']);
  });

  it.each([
    ['another process that was given its pid later', { startTicks: 1 }],
    ['an earlier boot of the machine', { bootId: '00000000-0000-0000-0000-000000000000' }],
  ])('is stale when it is of %s', async (_, difference) => {
    await writeFile(
      join(dir, 'lock'),
      JSON.stringify({ ...processIdentity(process.pid), url, since: 0, ...difference }),
    );
    await acquire(dir, { url: 'http://heir' });
    expect(await lockOwner(dir)).toMatchObject({ url: 'http://heir' });
  });

  it.each(['', 'null', '{"pid":"1"}', '{'])(
    'is stale when it says %j, which no trueup wrote',
    async (content) => {
      await writeFile(join(dir, 'lock'), content);
      await acquire(dir, { url });
      expect(await lockOwner(dir)).toMatchObject({ pid: process.pid });
    },
  );

  it('is taken over after a starter died in the middle of taking it over', async () => {
    const dead = await starter();
    await dead.outcome;
    await end(dead.child);
    const stale = join(dir, 'lock');
    const content = await readFile(stale, 'utf8');
    const successor = `${stale}.after-${createHash('sha256').update(content).digest('hex').slice(0, 16)}`;
    await writeFile(successor, content.replace('starter', 'half-way'));
    await acquire(dir, { url });
    expect(await lockOwner(dir)).toMatchObject({ url });
    expect(await readdir(dir)).toEqual(['lock']);
  });

  it.each([
    ['free', null],
    ['stale', '{"pid":1,"startTicks":1,"bootId":"earlier"}'],
  ])('goes to exactly one of many that start at once when it is %s', async (_, content) => {
    const starters = await Promise.all(Array.from({ length: 5 }, starter));
    for (let round = 0; round < 10; round++) {
      await rm(join(dir, 'lock'), { force: true });
      if (content !== null) await writeFile(join(dir, 'lock'), content);
      // Owners of earlier rounds live on; the lock no longer names them.
      const outcomes: readonly string[] = await Promise.all(starters.map(({ again }) => again()));
      expect(outcomes.toSorted()).toEqual(['owner', 'refused', 'refused', 'refused', 'refused']);
    }
    expect(await readdir(dir)).toEqual(['lock']);
  });

  it('says so when the folder cannot be written', async () => {
    await expect(acquire(join(dir, 'missing'), { url })).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('cannot be written'),
      fix: expect.stringContaining('--data-dir'),
    });
  });
});

describe('the identity of a process', () => {
  it('is the same for as long as it lives, and differs between processes', async () => {
    const { child } = await starter();
    const identity = processIdentity(child.pid ?? 0);
    expect(identity).toEqual(processIdentity(child.pid ?? 0));
    expect(identity).not.toEqual(processIdentity(process.pid));
    expect(identity).toMatchObject({
      startTicks: expect.any(Number),
      bootId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  it('ends with it', async () => {
    const { child } = await starter();
    const identity = processIdentity(child.pid ?? 0);
    if (identity === null) throw new Error('it was just started');
    expect(isRunning(identity)).toBe(true);
    await end(child);
    expect(isRunning(identity)).toBe(false);
    expect(processIdentity(identity.pid)).toBeNull();
  });

  it('is none for a zombie: it holds nothing any more', async () => {
    // The shell becomes a sleeper, which never waits for the child that the shell had.
    const script = 'exec 3<&0; sh -c "read -r _ <&3" & echo $!; exec sleep 60';
    const parent = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] });
    children.push(parent);
    const [line] = await once(createInterface(parent.stdout), 'line');
    await until(async () => (await readFile(`/proc/${parent.pid}/comm`, 'utf8')) === 'sleep\n');
    expect(processIdentity(Number(line))).not.toBeNull();
    parent.stdin.end('go\n');
    await until(async () => (await readFile(`/proc/${line}/stat`, 'utf8')).includes(') Z '));
    expect(processIdentity(Number(line))).toBeNull();
  });

  it('is read past a name full of brackets and blanks', async () => {
    const script = join(dir, 'a) S 1 (b');
    await writeFile(script, '#!/bin/sh\necho up\nread -r _\n');
    await chmod(script, 0o755);
    const child = spawn(script, { stdio: ['pipe', 'pipe', 'ignore'] });
    children.push(child);
    await once(child.stdout, 'data');
    const ticks = processIdentity(child.pid ?? 0)?.startTicks ?? 0;
    expect(ticks).toBeGreaterThanOrEqual(
      processIdentity(process.pid)?.startTicks ?? Number.POSITIVE_INFINITY,
    );
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 31 - 1])('is none for %d', (pid) => {
    expect(processIdentity(pid)).toBeNull();
  });
});

interface Starter {
  readonly child: ChildProcess;
  /** How its first try went. */
  readonly outcome: Promise<string>;
  /** Makes it try once more. */
  again(): Promise<string>;
}

/** Another process that takes the lock, and stays. */
async function starter(): Promise<Starter> {
  const program = `
    import { createInterface } from 'node:readline';
    import { acquire } from ${JSON.stringify(fileURLToPath(new URL('../../reconciler/lock.ts', import.meta.url)))};
    console.log('up');
    for await (const _ of createInterface(process.stdin)) {
      await acquire(${JSON.stringify(dir)}, { url: 'http://starter' }).then(
        () => console.log('owner'),
        (error) => console.log(error.kind === 'invalid' && error.message.includes('in use') ? 'refused' : error),
      );
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  await lines.next();
  const again = async (): Promise<string> => {
    child.stdin.write('\n');
    return (await lines.next()).value ?? 'ended';
  };
  let first: Promise<string> | null = null;
  return {
    child,
    get outcome() {
      first ??= again();
      return first;
    },
    again,
  };
}

/** Waits for `met`, at most ten seconds. */
async function until(met: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await met())) {
    if (Date.now() > deadline) throw new Error(`waited too long for ${met}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
