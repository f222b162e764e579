import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Backend, LogLine, ProcessRequest, Transport } from '../../backends/backend.ts';
import { isRunning, processIdentity } from '../../backends/host/process-identity.ts';
import { newestKeeper, readRecord } from '../../backends/host/slot.ts';
import { startKeeper } from '../../backends/local/keepers.ts';
import type { Instance, ProcessStatus } from '../../schemas/actual.ts';
import type { Failure } from '../../schemas/errors.ts';
import { mount, placement, processRequest, processSpec, tags } from './builders.ts';
import { type LocalWorld, openWorld, processesIn, server, until } from './slots.ts';

let world: LocalWorld;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

interface Replica {
  readonly instance: Instance;
  readonly transport: Transport;
  readonly slot: string;
}

async function create(replica = 'web-1', backend: Backend = world.backend): Promise<Replica> {
  const [offer] = await backend.offers(placement());
  if (offer === undefined) throw new Error('this machine offers nothing');
  const instance = await backend.create({ tags: tags({ replica }), offer });
  return { instance, transport: backend.transport(instance), slot: join(world.dir, instance.id) };
}

/** Runs `commands` as one replica. */
async function run(
  commands: readonly string[],
  over: Partial<ProcessRequest> = {},
  replica?: string,
): Promise<Replica> {
  const created = await create(replica);
  await created.transport.run(processRequest({ spec: processSpec({ commands }), ...over }));
  return created;
}

async function serve(over: Partial<ProcessRequest> = {}, replica?: string): Promise<Replica> {
  const created = await create(replica);
  await created.transport.run(processRequest({ ...server(), ...over }));
  await listening(created);
  return created;
}

const become = <K extends ProcessStatus['kind']>({ transport }: Replica, kind: K) =>
  until(async () => {
    const status = await transport.status();
    return status.kind === kind ? (status as Extract<ProcessStatus, { kind: K }>) : null;
  });

const listening = ({ transport }: Replica) =>
  until(async () => {
    const status = await transport.status();
    if (status.kind === 'exited') throw new Error([status.detail, ...status.log].join('\n'));
    return status.kind === 'running' && status.listening ? status : null;
  });

async function texts({ transport }: Replica): Promise<readonly string[]> {
  const lines: LogLine[] = [];
  for await (const line of transport.logs({ tail: Number.POSITIVE_INFINITY, follow: false }))
    lines.push(line);
  return lines.map(({ text }) => text);
}

const printed = (replica: Replica, text: string) =>
  until(async () => (await texts(replica)).some((line) => line.includes(text)) || null);

const pidOf = ({ slot }: Replica) => readRecord(slot, 'process')?.pid ?? Number.NaN;
const keeperOf = ({ slot }: Replica) => newestKeeper(slot)?.identity.pid ?? Number.NaN;

/** Ends a process the hard way and waits until it is dead. */
async function kill(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await until(async () => processIdentity(pid) === null || null);
}

const keptAgain = ({ slot }: Replica) =>
  until(async () => {
    const newest = newestKeeper(slot);
    return newest !== null && newest.number > 1 && isRunning(newest.identity) ? newest : null;
  });

async function environmentOf(replica: Replica): Promise<Record<string, string>> {
  const { endpoint } = await listening(replica);
  if (endpoint.kind !== 'tcp') throw new Error('a local replica listens on TCP');
  const response = await fetch(`http://${endpoint.host}:${endpoint.port}/`);
  return (await response.json()) as Record<string, string>;
}

describe('a replica', () => {
  test('gets an environment built from nothing, with a free port', async () => {
    process.env.NOT_FOR_REPLICAS = 'x';
    const env = await environmentOf(await serve({ env: { MODE: 'fast', 'dotted.name': 'kept', PORT: '1' } }));
    delete process.env.NOT_FOR_REPLICAS;
    expect(env).not.toHaveProperty('NOT_FOR_REPLICAS');
    expect(env).toMatchObject({ MODE: 'fast', 'dotted.name': 'kept', LANG: 'C.UTF-8' });
    expect(env.HOME).toContain(world.dir);
    expect(Number(env.PORT)).toBeGreaterThan(1_024);
  });

  test('finds its files below its working directory', async () => {
    const spec = processSpec({ commands: ['./bin/hello.sh', 'cat ~/data/one', 'pwd'], workingDir: 'app' });
    const mounts = [
      mount('bin', { 'hello.sh': 'echo hello from a script' }),
      mount('~/data/one', { '': 'one\n' }),
    ];
    const replica = await run([], { spec, mounts });
    await become(replica, 'exited');
    const lines = await texts(replica);
    expect(lines.slice(0, 2)).toEqual(['hello from a script', 'one']);
    expect(lines[2]).toMatch(/\/work\/app$/);
  });

  test('that exits at once says how, with its last 20 lines', async () => {
    const exit = await become(await run(['seq 30', 'exit 3']), 'exited');
    expect(exit).toMatchObject({ code: 3, signal: null, detail: 'exited with code 3' });
    expect(exit.log).toEqual(Array.from({ length: 20 }, (_, i) => String(i + 11)));
  });

  test('whose program does not exist says so', async () => {
    const spec = processSpec({ commands: ['--flag'], entrypoint: '/no/such/program' });
    const exit = await become(await run([], { spec }), 'exited');
    expect(exit.code).toBe(127);
    expect(exit.log.join()).toContain('/no/such/program');
  });

  test('that is killed says so', async () => {
    const replica = await serve();
    process.kill(pidOf(replica), 'SIGKILL');
    expect(await become(replica, 'exited')).toMatchObject({
      code: null,
      signal: 'SIGKILL',
      detail: 'ended by SIGKILL',
    });
  });

  test('that ignores SIGTERM is killed when its time is over', async () => {
    const replica = await run(["trap '' TERM", 'echo deaf', 'while :; do sleep 0.1; done'], { stopMs: 300 });
    await printed(replica, 'deaf');
    await replica.transport.stop();
    expect((await replica.transport.status()).kind).toBe('stopping');
    expect(await become(replica, 'exited')).toMatchObject({ signal: 'SIGKILL' });
  });

  test('that ignores SIGTERM is killed at once when its slot is given back', async () => {
    const replica = await run(["trap '' TERM", 'echo deaf', 'while :; do sleep 0.1; done'], {
      stopMs: 3_600_000,
    });
    await printed(replica, 'deaf');
    await replica.transport.stop();
    await world.backend.terminate(replica.instance.id);
    expect((await world.backend.get(replica.instance.id))?.status).toBe('stopping');
    await become(replica, 'exited');
  });

  test('gives what its shell started the time to finish, though the shell itself ends at once', async () => {
    const worker = "trap 'sleep 0.5; echo finished; exit' TERM; echo working; while :; do sleep 0.1; done";
    const replica = await run(['true', `(${worker})`, 'true'], { stopMs: 20_000 });
    await printed(replica, 'working');
    await replica.transport.stop();
    await become(replica, 'exited');
    expect(await texts(replica)).toContain('finished');
  });

  test('leaves nothing behind, not even what left its group, its session or its environment', async () => {
    const strays = [
      'set -m',
      'sleep 1000 &',
      'setsid -f sleep 1001',
      'env -i sleep 1002 &',
      'echo "bare $!"',
    ];
    const replica = await run([...strays, 'exec sleep 1003']);
    await printed(replica, 'bare');
    const bare = Number((await texts(replica))[0]?.split(' ')[1]);
    await until(async () => (await processesIn(replica.slot)).length === 4 || null);
    expect(processIdentity(bare)).not.toBeNull();
    process.kill(pidOf(replica), 'SIGKILL');
    await become(replica, 'exited');
    expect(processIdentity(bare)).toBeNull();
    await until(async () => (await processesIn(replica.slot)).length === 0 || null);
  });

  test('that listens on IPv6 loopback only is dialled there', async () => {
    const code = "require('http').createServer((_, r) => r.end('{}')).listen(process.env.PORT, '::1')";
    const replica = await run([`exec node -e "${code}"`]);
    const { endpoint } = await listening(replica);
    expect(endpoint).toMatchObject({ host: '::1' });
    expect(replica.transport.endpoint()).toEqual(endpoint);
  });
});

describe('a replica that ignores $PORT', () => {
  const fixed = 28_431;
  const ignorant = () => {
    const { spec, mounts } = server(String(fixed));
    return { spec: { ...spec, port: fixed }, mounts };
  };

  test('is told what to write, and a second one fails by the collision', async () => {
    const first = await run([], ignorant(), 'web-1');
    const told = await until(async () => {
      const status = await first.transport.status();
      return status.kind === 'running' && status.detail !== '' ? status : null;
    });
    expect(told.listening).toBe(false);
    expect(told.detail).toMatch(/^listens on 28431, not on \$PORT \(\d+\): start it with --port \$PORT$/);
    const exit = await become(await run([], ignorant(), 'web-2'), 'exited');
    expect(exit.log.join()).toContain('EADDRINUSE');
    expect(exit.detail).toContain('start it with --port $PORT');
  });

  test('does not count as listening when another process has its port', async () => {
    const replica = await run(['exec sleep 1000']);
    const port = readRecord(replica.slot, 'launch')?.port;
    const stranger = createServer().listen(port, '127.0.0.1');
    await once(stranger, 'listening');
    const status = await until(async () => {
      const now = await become(replica, 'running');
      return now.detail === '' ? null : now;
    });
    stranger.close();
    expect(status).toMatchObject({
      listening: false,
      detail: `another process listens on its $PORT (${port})`,
    });
  });
});

describe('a keeper that is killed', () => {
  /** Prints `first`, then, once the file `go` is there, `more`. */
  const inTwo = (more: string) => [
    'echo first',
    'until [ -e go ]; do sleep 0.02; done',
    more,
    'exec sleep 1000',
  ];
  const go = ({ slot }: Replica) => writeFile(join(slot, 'work', 'go'), '');

  test('takes neither the replica nor a line of its output with it', async () => {
    const replica = await run(inTwo('seq 100000'));
    await printed(replica, 'first');
    await kill(keeperOf(replica));
    await go(replica);
    expect((await become(replica, 'running')).kind).toBe('running');
    await printed(replica, '100000');
    expect(await texts(replica)).toEqual([
      'first',
      ...Array.from({ length: 100_000 }, (_, i) => String(i + 1)),
    ]);
  });

  test('gets a successor without anybody asking for the status, where somebody watches', async () => {
    const replica = await serve();
    world.backend.watch(() => undefined);
    await kill(keeperOf(replica));
    await keptAgain(replica);
  });

  test('gets a successor that masks the same secrets', async () => {
    const env = { DATABASE: 'postgres://me:hunter22@db', TOKEN: 'swordfish' };
    const replica = await run(inTwo('echo "$DATABASE and $TOKEN"'), {
      env,
      secrets: ['hunter22', 'swordfish'],
    });
    await printed(replica, 'first');
    await kill(keeperOf(replica));
    await go(replica);
    await become(replica, 'running');
    await printed(replica, 'postgres://me:***@db and ***');
  });

  test('leaves a replica that can still be stopped', async () => {
    const replica = await serve();
    await kill(keeperOf(replica));
    await replica.transport.stop();
    const exit = await become(replica, 'exited');
    expect(exit).toMatchObject({ code: null, signal: null });
    expect(exit.detail).toContain('nobody saw how it ended');
  });

  test('leaves a replica that can still be terminated', async () => {
    const replica = await serve();
    await kill(keeperOf(replica));
    const { id } = replica.instance;
    await until(() =>
      world.backend.terminate(id).then(
        () => null,
        ({ kind }: Failure) => kind === 'not-found' || null,
      ),
    );
    await until(async () => (await processesIn(replica.slot)).length === 0 || null);
  });

  test('together with its replica leaves an exit that nobody saw', async () => {
    const replica = await serve();
    const [keeper, pid] = [keeperOf(replica), pidOf(replica)];
    await kill(keeper);
    await kill(pid);
    const exit = await become(replica, 'exited');
    expect(exit).toMatchObject({ code: null, signal: null });
    expect(exit.log).toContain('started');
  });
});

describe('a daemon that comes back', () => {
  test('finds its replicas as they were', async () => {
    const replica = await serve();
    await world.backend.close();
    const backend = await world.reopen();
    expect(await backend.list('owner-1')).toEqual([replica.instance]);
    const transport = backend.transport(replica.instance);
    await transport.run(processRequest(server()));
    expect(await listening({ ...replica, transport })).toEqual(await listening(replica));
    expect((await texts(replica)).filter((text) => text === 'started')).toHaveLength(1);
  });

  test('leaves the slots of another machine alone', async () => {
    const { instance } = await create();
    const backend = await world.reopen({ machine: 'machine-2' });
    expect(await backend.list('owner-1')).toEqual([]);
    expect(await backend.get(instance.id)).toBeNull();
    await expect(create('web-1', backend)).rejects.toMatchObject({ kind: 'no-capacity' });
  });

  test.each([0, 20, 40, 60, 90, 120, 160])(
    'has one process, when the one before was killed %i ms after it began to start it',
    async (ms) => {
      const replica = await create('web-1');
      const request = processRequest({ ...server() });
      await killedWhileRunning(replica, ms);
      await replica.transport.run(request);
      await listening(replica);
      expect((await texts(replica)).filter((text) => text === 'started')).toHaveLength(1);
    },
  );

  test('has one process though several keepers were started for it at once', async () => {
    const replica = await serve();
    const command = { argv: ['/bin/echo', 'second'], cwd: '/', env: {} };
    const launch = { kind: 'launch', command, secrets: [] } as const;
    const adopt = { kind: 'adopt', secrets: null } as const;
    const reports = [launch, launch, adopt].map((each) => startKeeper(process.execPath, replica.slot, each));
    expect((await Promise.all(reports)).map(({ kind }) => kind)).toEqual(['taken', 'taken', 'taken']);
    expect(await texts(replica)).toEqual(['started']);
  });
});

/** Another process, as a daemon would, runs the replica, and is killed `ms` after it said that it begins. */
async function killedWhileRunning({ instance }: Replica, ms: number): Promise<void> {
  const code = `
    import { openLocal } from '${import.meta.dirname}/../../backends/local/local.ts';
    import { processRequest } from '${import.meta.dirname}/builders.ts';
    import { server } from '${import.meta.dirname}/slots.ts';
    const backend = await openLocal({ dir: '${world.dir}', machine: 'machine-1' });
    const instance = await backend.get('${instance.id}');
    console.log('now');
    await backend.transport(instance).run(processRequest(server()));
    setInterval(() => undefined, 1000);`;
  const daemon = spawn(process.execPath, ['--input-type=module-typescript', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(daemon.stdout, 'data');
  await sleep(ms);
  daemon.kill('SIGKILL');
  await once(daemon, 'close');
}

describe('what is kept secret', () => {
  const secret = 'hunter22-and-a-long-tail';

  test('is in no file of the slot and in no command line of the keeper', async () => {
    const replica = await serve({ env: { TOLD: `it is ${secret}` }, secrets: [secret] });
    await printed(replica, 'it is ***');
    const names = await readdir(replica.slot, { recursive: true, withFileTypes: true });
    const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    for (const file of files) expect(await readFile(file, 'utf8'), file).not.toContain(secret);
    for (const file of ['cmdline', 'environ']) {
      expect(await readFile(`/proc/${keeperOf(replica)}/${file}`, 'utf8')).not.toContain(secret);
    }
  });

  test('is masked though it comes in pieces', async () => {
    const replica = await run(['printf hunter22-and', 'sleep 0.3', 'printf -- "-a-long-tail and more"'], {
      secrets: [secret],
    });
    await become(replica, 'exited');
    expect(await texts(replica)).toEqual(['*** and more']);
  });
});

describe('the log', () => {
  test('keeps the newest files only, and a follower loses no line', async () => {
    await world.close();
    world = await openWorld({ logs: { files: 3, bytesPerFile: 20_000 } });
    const replica = await run(['for i in $(seq 40); do seq 100; sleep 0.02; done', 'echo end']);
    const seen: string[] = [];
    const ending = new AbortController();
    for await (const { text } of replica.transport.logs({
      tail: 10_000,
      follow: true,
      signal: ending.signal,
    })) {
      seen.push(text);
      if (text === 'end') ending.abort();
    }
    expect(seen).toHaveLength(4_001);
    const files = await readdir(join(replica.slot, 'logs'));
    expect(files).toHaveLength(3);
    for (const file of files)
      expect((await readFile(join(replica.slot, 'logs', file))).length).toBeLessThan(20_001);
  });

  test('cuts a line that is too long', async () => {
    const replica = await run(["head -c 70000 /dev/zero | tr '\\0' x", 'echo', 'echo next']);
    await become(replica, 'exited');
    const [long = '', next] = await texts(replica);
    expect(long).toMatch(/^x{65536} … \(4464 more characters\)$/);
    expect(next).toBe('next');
  });

  test('tells the two streams apart', async () => {
    const replica = await run(['echo good', 'echo bad >&2']);
    await become(replica, 'exited');
    const lines: LogLine[] = [];
    for await (const line of replica.transport.logs({ tail: 10, follow: false })) lines.push(line);
    expect(lines.map(({ stream, text }) => `${stream} ${text}`).sort()).toEqual(['err bad', 'out good']);
  });
});

describe('this machine', () => {
  test('has as many slots as it is given', async () => {
    await world.close();
    world = await openWorld({ slots: 1 });
    const { instance } = await create('web-1');
    expect((await create('web-1')).instance).toEqual(instance);
    await expect(create('web-2')).rejects.toMatchObject({ kind: 'no-capacity' });
    expect((await world.backend.offers(placement()))[0]?.availability).toBe('not-available');
  });

  test('costs what it is reckoned at: its offer, and each slot that is taken', async () => {
    await world.close();
    world = await openWorld({ price: 0.25 });
    expect(await world.backend.offers(placement())).toMatchObject([{ price: 0.25 }]);
    const { instance } = await create('web-1');
    expect(instance.pricePerHour).toBe(0.25);
    expect(await (await world.reopen({ price: 0.5 })).get(instance.id)).toMatchObject({ pricePerHour: 0.5 });
  });

  test('refuses what needs containers, and says what to do', async () => {
    const spec = processSpec({ image: 'nginx' });
    const refusal = world.backend.refuses(spec);
    expect(refusal?.fix).toBe('remove `image`, or use a backend with containers');
    const { transport } = await create();
    await expect(transport.run(processRequest({ spec }))).rejects.toMatchObject({
      kind: 'invalid',
      ...refusal,
    });
    expect((await transport.status()).kind).toBe('absent');
  });

  test.each([
    ['/etc/trueup.conf', 'absolute'],
    ['../../../escaped', 'leaves'],
  ])('puts no files at %s', async (target, why) => {
    const { transport } = await create();
    const running = transport.run(processRequest({ mounts: [mount(target, { '': 'x' })] }));
    await expect(running).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining(why) });
  });

  test('refuses a Python that it does not have', async () => {
    const { transport } = await create();
    const running = transport.run(processRequest({ spec: processSpec({ python: '2.4' }) }));
    await expect(running).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('python2.4'),
    });
  });

  test('gives each of its replicas a port of its own', async () => {
    const replicas = await Promise.all(
      ['web-1', 'web-2', 'web-3'].map((name) => run(['exec sleep 1000'], {}, name)),
    );
    const ports = replicas.map(({ slot }) => readRecord(slot, 'launch')?.port);
    expect(new Set(ports).size).toBe(3);
  });
});
