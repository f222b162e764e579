// What every backend does alike. Runs on real ones as on the fake.
import { afterEach, beforeEach, describe, expect, type TestContext, test } from 'vitest';
import type { Backend, Disks, LogLine, ProcessRequest, Transport } from '../../backends/backend.ts';
import type { Instance, ProcessStatus, Tags } from '../../schemas/actual.ts';
import type { Failure } from '../../schemas/errors.ts';
import type { Disk, Mounted } from '../../schemas/volume.ts';
import { placement, tags } from './builders.ts';

export interface Harness {
  readonly backend: Backend;
  /** A process that prints `started`, then its variable `TOLD`, and listens until SIGTERM. */
  readonly server: (env: { readonly [name: string]: string }) => Pick<ProcessRequest, 'spec' | 'mounts'>;
  /** Lets time pass until `look` gives something. */
  readonly until: <T>(look: () => Promise<T | null>) => Promise<T>;
  readonly close: () => Promise<void>;
}

export function backendContract(name: string, open: () => Promise<Harness>): void {
  describe(`the backend ${name}`, () => {
    let harness: Harness;
    let backend: Backend;
    beforeEach(async () => {
      harness = await open();
      backend = harness.backend;
    });
    afterEach(() => harness.close());

    const create = async (over: Partial<Tags> = {}): Promise<Instance> => {
      const [offer] = await backend.offers(placement());
      if (offer === undefined) throw new Error('the backend offers nothing');
      return backend.create({ tags: tags(over), offer });
    };
    const request = (over: Partial<ProcessRequest> = {}): ProcessRequest => ({
      ...harness.server(over.env ?? {}),
      replica: tags(),
      env: {},
      registryPassword: null,
      stopMs: 5_000,
      secrets: [],
      ...over,
    });
    const become = <K extends ProcessStatus['kind']>(transport: Transport, kind: K) =>
      harness.until(async () => {
        const status = await transport.status();
        return status.kind === kind ? (status as Extract<ProcessStatus, { kind: K }>) : null;
      });
    const listening = (transport: Transport) =>
      harness.until(async () => {
        const status = await transport.status();
        if (status.kind === 'exited') throw new Error([status.detail, ...status.log].join('\n'));
        return status.kind === 'running' && status.listening ? status : null;
      });
    const running = (id: string) =>
      harness.until(async () => {
        const instance = await backend.get(id);
        return instance?.status === 'running' ? instance : null;
      });
    const started = async (over: Partial<ProcessRequest> = {}) => {
      const instance = await running((await create()).id);
      const transport = backend.transport(instance);
      await transport.run(request(over));
      await listening(transport);
      return { instance, transport };
    };
    const end = (id: string) =>
      harness.until(() =>
        backend.terminate(id).then(
          () => null,
          (failure: Failure) => failure.kind,
        ),
      );

    test('gives the same instance for the same request', async () => {
      const [first, second] = [await create(), await create()];
      expect(second).toEqual(first);
      expect(await listed(harness, 'owner-1')).toEqual([first.id]);
    });

    test('gives another instance for another attempt', async () => {
      const [first, second] = [await create(), await create({ attempt: 2 })];
      expect(second.id).not.toBe(first.id);
    });

    test('keeps the tags on the instance', async () => {
      const { id } = await create({ service: 'api', replica: 'api-7', deployment: 3 });
      expect((await backend.get(id))?.tags).toEqual(
        tags({ service: 'api', replica: 'api-7', deployment: 3 }),
      );
    });

    test('lists the instances of one owner only', async () => {
      const ours = await create();
      await create({ owner: 'owner-2' });
      expect(await listed(harness, 'owner-1')).toEqual([ours.id]);
    });

    test('knows nothing of an instance that never was', async () => {
      expect(await backend.get('web-1-00000000')).toBeNull();
      expect(await backend.get('../web-1-00000000')).toBeNull();
      expect(await end('web-1-00000000')).toBe('not-found');
    });

    test('terminates an instance until it is not found', async () => {
      const { id } = await create();
      expect(await end(id)).toBe('not-found');
      expect(await backend.get(id)).toBeNull();
      expect(await backend.list('owner-1')).toEqual([]);
    });

    test('may be asked twice at once to terminate an instance', async () => {
      const { id } = await create();
      const answers = await Promise.allSettled([backend.terminate(id), backend.terminate(id)]);
      for (const answer of answers) {
        if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ kind: 'not-found' });
      }
    });

    test('terminates an instance with its process', async () => {
      const { instance, transport } = await started();
      expect(await end(instance.id)).toBe('not-found');
      expect((await transport.status()).kind).toBe('absent');
    });

    test('offers nothing for a placement that names other backends', async () => {
      expect(await backend.offers(placement({ backends: ['elsewhere'] }))).toEqual([]);
    });

    test('says that a process is absent before it was run, and that there is nothing to stop', async () => {
      const transport = backend.transport(await running((await create()).id));
      await transport.stop();
      expect(await transport.status()).toEqual({ kind: 'absent' });
      expect(transport.endpoint()).toBeNull();
    });

    test('says where the process listens', async () => {
      const { transport } = await started();
      const status = await become(transport, 'running');
      expect(status.endpoint).toEqual(transport.endpoint());
    });

    test('runs one process however often it is asked', async () => {
      const { transport } = await started();
      await Promise.all([transport.run(request()), transport.run(request())]);
      await transport.stop();
      await become(transport, 'exited');
      await transport.run(request());
      expect((await transport.status()).kind).toBe('exited');
      expect((await texts(transport)).filter((text) => text === 'started')).toEqual(['started']);
    });

    test('stops the process by SIGTERM, however often it is asked', async () => {
      const { transport } = await started();
      await Promise.all([transport.stop(), transport.stop()]);
      const exit = await become(transport, 'exited');
      expect(exit).toMatchObject({ code: null, signal: 'SIGTERM', detail: 'ended by SIGTERM' });
      expect(exit.log).toContain('started');
      await transport.stop();
      expect((await transport.status()).kind).toBe('exited');
    });

    test('masks secrets in what the process printed', async () => {
      const { transport } = await started({
        env: { TOLD: 'the password is hunter22' },
        secrets: ['hunter22'],
      });
      await logged(transport, 'the password is ***');
    });

    test('gives the newest lines, oldest first', async () => {
      const { transport } = await started({ env: { TOLD: 'last words' } });
      await logged(transport, 'last words');
      expect(await texts(transport, 1)).toEqual(['last words']);
      expect(await texts(transport, 2)).toEqual(['started', 'last words']);
      expect(await texts(transport, 0)).toEqual([]);
    });

    test('follows the log until it is told to end', async () => {
      const { transport } = await started();
      const ending = new AbortController();
      const seen: string[] = [];
      const following = (async () => {
        const lines = transport.logs({ tail: 10, follow: true, signal: ending.signal });
        for await (const { text } of lines) seen.push(text);
      })();
      await harness.until(async () => seen.includes('started') || null);
      ending.abort();
      await following;
    });

    test('tells a watcher that a process has ended', async () => {
      const { transport } = await started();
      const heard: Tags[] = [];
      const unwatch = backend.watch((changed) => heard.push(changed));
      await transport.stop();
      await become(transport, 'exited');
      await harness.until(async () => heard.length > 0 || null);
      unwatch();
      expect(heard[0]).toEqual(tags());
    });

    describe('where a machine outlives what runs on it', () => {
      const other = tags({ service: 'api', replica: 'api-1' });
      const ended = async () => {
        const { instance, transport } = await started({ env: { TOLD: 'one' } });
        await transport.stop();
        await become(transport, 'exited');
        return { instance, transport };
      };

      test('removes what has ended, however often it is asked, and nothing is there any more', async (context) => {
        needsMachines(context);
        const { instance, transport } = await ended();
        await Promise.all([transport.clear?.(), transport.clear?.()]);
        await transport.clear?.();
        expect(await transport.status()).toEqual({ kind: 'absent' });
        expect(transport.endpoint()).toBeNull();
        expect(await backend.get(instance.id)).toMatchObject({ status: 'running', tags: tags() });
      });

      test('leaves alone what runs, and says that there is nothing to remove', async (context) => {
        needsMachines(context);
        const { transport } = await started();
        await transport.clear?.();
        expect((await transport.status()).kind).toBe('running');
        const fresh = backend.transport(await running((await create({ attempt: 2 })).id));
        await fresh.clear?.();
        expect(await fresh.status()).toEqual({ kind: 'absent' });
      });

      test('runs another’s process after it, with a log of its own', async (context) => {
        needsMachines(context);
        const { instance, transport } = await ended();
        await transport.clear?.();
        expect(await texts(transport)).toEqual([]);
        await transport.run(request({ replica: other, env: { TOLD: 'two' } }));
        await listening(transport);
        await logged(transport, 'two');
        expect(await texts(transport)).toEqual(['started', 'two']);
        expect((await backend.get(instance.id))?.tags).toEqual(tags());
      });

      test('does nothing to the process of anybody but whom the tags name, and shows nothing of it', async (context) => {
        needsMachines(context);
        const instance = await running((await create()).id);
        const late = tags({ service: 'db', replica: 'db-1' });
        const theirs = backend.transport({ ...instance, tags: other });
        const own = backend.transport({ ...instance, tags: late });
        await theirs.run(request({ replica: other, env: { TOLD: 'mine' } }));
        await listening(theirs);
        expect(await own.status()).toEqual({ kind: 'absent' });
        expect(own.endpoint()).toBeNull();
        expect(await texts(own)).toEqual([]);
        await own.stop();
        await own.clear?.();
        await expect(own.run(request({ replica: late }))).rejects.toMatchObject({ kind: 'transient' });
        const of = { replica: 'api-1', attempt: 1 };
        expect(await theirs.status()).toMatchObject({ kind: 'running', of });
        expect(await backend.transport(instance).status()).toMatchObject({ kind: 'running', of });
      });

      test('knows one attempt from another', async (context) => {
        needsMachines(context);
        const instance = await running((await create()).id);
        const at = (attempt: number) => backend.transport({ ...instance, tags: { ...other, attempt } });
        const [first, second] = [at(1), at(2)];
        await second.run(request({ replica: { ...other, attempt: 2 } }));
        await listening(second);
        await first.stop();
        expect(await first.status()).toEqual({ kind: 'absent' });
        expect(await second.status()).toMatchObject({ kind: 'running' });
      });

      test('tells a watcher whose process it is that has ended', async (context) => {
        needsMachines(context);
        const { id } = await running((await create()).id);
        const transport = backend.transport(await running(id));
        await transport.run(request({ replica: other }));
        await listening(transport);
        const heard: Tags[] = [];
        const unwatch = backend.watch((changed) => heard.push(changed));
        await transport.stop();
        await become(transport, 'exited');
        await harness.until(async () => heard.length > 1 || null);
        unwatch();
        expect(heard.map(({ service, replica }) => `${service} ${replica}`)).toEqual([
          'web web-1',
          'api api-1',
        ]);
      });

      test('shows who follows a log nothing of what is run after it', async (context) => {
        needsMachines(context);
        const { transport } = await ended();
        const seen: string[] = [];
        const following = (async () => {
          for await (const { text } of transport.logs({ tail: 10, follow: true })) seen.push(text);
        })();
        await harness.until(async () => seen.includes('one') || null);
        await transport.clear?.();
        await transport.run(request({ replica: other, env: { TOLD: 'two' } }));
        await listening(transport);
        await following;
        expect(seen).toEqual(['started', 'one']);
      });
    });

    describe('where there are volumes', () => {
      const needsDisks = ({ skip }: TestContext): Disks => {
        if (!backend.disks) return skip(`${name} has no volumes`);
        return backend.disks;
      };
      const wish = async (volume: string, owner = 'owner-1') => {
        const [offer] = await backend.offers(placement());
        return {
          tags: { owner, project: 'main', volume },
          region: offer?.region ?? '',
          zone: null,
          sizeGib: 20,
        };
      };
      const made = async (disks: Disks, volume: string): Promise<Disk> => {
        const { id } = await disks.create(await wish(volume));
        return harness.until(async () => {
          const disk = await disks.get(id);
          return disk?.status === 'ready' ? disk : null;
        });
      };
      const holding = ({ id }: Disk): { readonly volumes: readonly Mounted[] } => ({
        volumes: [{ volume: 'data', id, path: '/data' }],
      });
      const machine = async (attempt: number) => {
        const { id } = await running((await create({ attempt })).id);
        return { id, transport: backend.transport(await running(id)) };
      };

      test('gives the same volume for the same request', async (context) => {
        const disks = needsDisks(context);
        const disk = await made(disks, 'data');
        const again = await disks.create(await wish('data'));
        expect(again).toEqual(disk);
        expect(disk).toMatchObject({
          sizeGib: 20,
          tags: { owner: 'owner-1', project: 'main', volume: 'data' },
        });
      });

      test('finds a volume by its id, and those of one owner', async (context) => {
        const disks = needsDisks(context);
        const [data, more] = [await made(disks, 'data'), await made(disks, 'more')];
        await disks.create(await wish('data', 'owner-2'));
        expect(await disks.get(data.id)).toEqual(data);
        expect(await disks.get('vol-never')).toBeNull();
        const listed = (await disks.list('owner-1')).map(({ id }) => id);
        expect(listed.toSorted()).toEqual([data.id, more.id].toSorted());
      });

      test('attaches a volume to one machine at a time, until that is ended', async (context) => {
        const disk = await made(needsDisks(context), 'data');
        const [first, second] = [await machine(1), await machine(2)];
        await first.transport.run(request(holding(disk)));
        await listening(first.transport);
        await expect(second.transport.run(request(holding(disk)))).rejects.toMatchObject({
          kind: 'transient',
        });
        expect(await second.transport.status()).toEqual({ kind: 'absent' });
        expect(await end(first.id)).toBe('not-found');
        await second.transport.run(request(holding(disk)));
        await listening(second.transport);
      });

      test('attaches it to another machine once what held it is cleared away', async (context) => {
        const disk = await made(needsDisks(context), 'data');
        needsMachines(context);
        const [first, second] = [await machine(1), await machine(2)];
        await first.transport.run(request(holding(disk)));
        await listening(first.transport);
        await first.transport.stop();
        await become(first.transport, 'exited');
        await first.transport.clear?.();
        await second.transport.run(request(holding(disk)));
        await listening(second.transport);
      });

      test('refuses to run what needs a volume that is not there', async (context) => {
        needsDisks(context);
        const { transport } = await machine(1);
        const missing = { volumes: [{ volume: 'data', id: 'vol-never', path: '/data' }] };
        await expect(transport.run(request(missing))).rejects.toMatchObject({ kind: 'invalid' });
      });
    });

    const needsMachines = ({ skip }: TestContext) =>
      skip(!backend.capabilities.machines, `an instance of ${name} ends with its process`);
    const texts = async (transport: Transport, tail = 100): Promise<readonly string[]> => {
      const lines: LogLine[] = [];
      for await (const line of transport.logs({ tail, follow: false })) lines.push(line);
      return lines.map(({ text }) => text);
    };
    const logged = (transport: Transport, text: string) =>
      harness.until(async () => (await texts(transport)).includes(text) || null);
  });
}

async function listed({ backend, until }: Harness, owner: string): Promise<readonly string[]> {
  const some = await until(async () => {
    const instances = await backend.list(owner);
    return instances.length > 0 ? instances : null;
  });
  return some.map(({ id }) => id);
}
