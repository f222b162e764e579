// Following a rollout on a server that a test plays: it comes and goes, is slow, and is followed all the same.
import { expect, test } from 'vitest';
import { type FollowOptions, follow } from '../../action/follow.ts';
import type { ServiceProgress } from '../../action/progress.ts';
import { type EventView, eventSchema, type Status, statusSchema } from '../../schemas/api.ts';
import { Failure } from '../../schemas/errors.ts';

const COMMIT = 'c'.repeat(40);

type Outcome = 'rolling' | 'done';

function statusOf(outcomes: Readonly<Record<string, Outcome>>): Status {
  const time = '2026-01-05T09:00:00.000Z';
  const rest = {
    deployment: 1,
    revision: 'a',
    asked: 'a',
    desired: 1,
    ready: 1,
    url: '',
    models: [],
    pricePerHour: 0,
  };
  const services = Object.entries(outcomes).map(([name, outcome]) => {
    const at = { startedAt: time, endedAt: null, ready: 0, desired: 1 };
    const rollout = { from: null, to: 1, commit: COMMIT, outcome, reason: '', ...at };
    return { name, status: 'rolling', ...rest, replicas: [], problems: [], rollout };
  });
  const none = { problems: [], sourceFailure: null, held: [], others: [] };
  return statusSchema.parse({ project: 'main', commit: COMMIT, services, ...none });
}

function event(seq: number, name: string, service: string, reason = ''): EventView {
  const time = new Date(Date.UTC(2026, 0, 5, 9, 0, seq)).toISOString();
  return eventSchema.parse({ time, seq, project: 'main', service, event: name, reason, commit: COMMIT });
}

/** Each event brings the status that holds from then on; `null` ends the stream, as a restart does. */
function world(first: Status, script: readonly (readonly [EventView | null, Status])[]) {
  const rest = [...script];
  let status: Status | 'away' = first;
  const lines: string[] = [];
  const moves: (readonly ServiceProgress[])[] = [];
  const asked: number[] = [];
  const options: Pick<FollowOptions, 'server' | 'out' | 'moved'> = {
    out: { line: (text) => void lines.push(text), group: () => () => {} },
    moved: (services) => void moves.push(services),
    server: {
      history: async () => [
        event(1, 'commit', ''),
        event(2, 'deployment', 'web'),
        event(3, 'deployment', 'api'),
      ],
      status: async () => {
        if (status !== 'away') return status;
        status = first;
        throw new Failure('transient', 'cannot reach the server');
      },
      async *events(after, signal) {
        asked.push(after);
        for (let next = rest.shift(); next; next = rest.shift()) {
          const [told, then] = next;
          status = then;
          if (told === null) return;
          yield told;
        }
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    },
  };
  const away = () => {
    status = 'away';
  };
  return { lines, moves, asked, away, options };
}

const both = (web: Outcome, api: Outcome) => statusOf({ web, api });
const forever = { commit: COMMIT, isApproved: true, timeoutMs: 60_000, signal: new AbortController().signal };

test('it ends when every service is done, and says how long that took', async () => {
  const { options, lines, moves } = world(both('rolling', 'rolling'), [
    [event(5, 'rollout-done', 'web'), both('done', 'rolling')],
    [event(9, 'rollout-done', 'api'), both('done', 'done')],
  ]);
  const result = await follow({ ...forever, ...options });
  expect(result).toMatchObject({
    kind: 'settled',
    seconds: 8,
    services: [{ kind: 'done' }, { kind: 'done' }],
  });
  expect(lines.map((line) => line.split(/\s+/)[2])).toEqual([
    'commit',
    'deployment',
    'deployment',
    'rollout-done',
    'rollout-done',
  ]);
  expect(moves.at(-1)?.map(({ kind }) => kind)).toEqual(['done', 'done']);
});

test('it leaves out no event, though the status was known before the last of them came', async () => {
  const { options, lines } = world(both('done', 'done'), []);
  const first = await options.server.history(1);
  const answers = [first, [...first, event(8, 'rollout-done', 'api')]];
  const server = { ...options.server, history: async () => answers.shift() ?? [] };
  expect(await follow({ ...forever, ...options, server })).toMatchObject({ seconds: 7 });
  expect(lines.at(-1)).toContain('rollout-done');
});

test('it goes on where it was when the stream breaks', async () => {
  const { options, asked } = world(both('rolling', 'rolling'), [
    [event(5, 'rollout-done', 'web'), both('done', 'rolling')],
    [null, both('done', 'rolling')],
    [event(6, 'rollout-done', 'api'), both('done', 'done')],
  ]);
  expect((await follow({ ...forever, ...options })).kind).toBe('settled');
  expect(asked.slice(0, 2)).toEqual([3, 5]);
});

test('it outlasts a server that is away', async () => {
  const { options, lines, away } = world(both('done', 'done'), []);
  away();
  expect((await follow({ ...forever, ...options })).kind).toBe('settled');
  expect(lines.join('\n')).toContain('The rollout goes on; trying again.');
});

test('it gives up when its time is over, and knows what was slow', async () => {
  const { options } = world(both('done', 'rolling'), []);
  expect(await follow({ ...forever, ...options, timeoutMs: 50 })).toMatchObject({
    kind: 'late',
    progress: { kind: 'read', services: [{ service: 'api', kind: 'moving' }, { kind: 'done' }] },
  });
});

test('it ends at once when the job is cancelled', async () => {
  const cancelled = new AbortController();
  const { options } = world(both('rolling', 'rolling'), []);
  const result = follow({ ...forever, ...options, signal: cancelled.signal });
  cancelled.abort();
  expect(await result).toEqual({ kind: 'cancelled' });
});
