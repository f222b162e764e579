// What every backend does alike. Runs on real ones as on the fake.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Backend, LogLine, ProcessRequest, Transport } from '../../backends/backend.ts';
import type { Instance, ProcessStatus, Tags } from '../../schemas/actual.ts';
import type { Failure } from '../../schemas/errors.ts';
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
