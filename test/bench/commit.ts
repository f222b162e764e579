// From a commit to the first request that the new revision answers: a real daemon on a real repository, beside the same
// process started by hand.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { EventView } from '../../schemas/api.ts';
import { type Daemon, startDaemon } from '../e2e/daemon.ts';
import { newHome } from '../e2e/repo.ts';
import type { TestRepo } from '../git.ts';
import { type Entry, type Row, ratiosOf } from './figures.ts';

const COMMITS = 10;
/** More often would take the processor from what is measured. */
const ASK_EVERY_MS = 10;
const DEADLINE_MS = 60_000;

export const commitEntry: Entry = {
  name: 'commit',
  title: 'From a commit to its first answer',
  async run(say) {
    const home = newHome();
    try {
      say('starting the daemon');
      const repo = home.repo();
      repo.commit(service(1), 'Revision 1');
      const daemon = await startDaemon({ args: ['--repo', repo.dir], dataDir: home.dataDir });
      await daemon.happens('rollout-done', /^deployment 1 /, { ms: DEADLINE_MS });
      const runs: Run[] = [];
      // The first warms everything up.
      for (let i = 0; i <= COMMITS; i += 1) {
        say(`commit ${i} of ${COMMITS}`);
        const run = { floor: await startByHand(repo), stages: await rollOut(daemon, repo, i + 2) };
        if (i > 0) runs.push(run);
      }
      return { rows: rowsOf(runs), notes: NOTES };
    } finally {
      await home.remove();
    }
  },
};

// Private

const NOTES = [
  'Ratio: commit to first answer, to the same process started by hand. The stages follow each other and sum up to it.',
];

interface Run {
  readonly floor: number;
  /** Milliseconds of each stage, in order. */
  readonly stages: Stages;
}

interface Stages {
  readonly seen: number;
  readonly begun: number;
  readonly started: number;
  readonly listening: number;
  readonly ready: number;
  readonly routed: number;
}

const STAGES: readonly (readonly [keyof Stages, string])[] = [
  ['seen', '  commit → seen, read and stored'],
  ['begun', '  → rollout begun'],
  ['started', '  → process started'],
  ['listening', '  → it listens (its own start)'],
  ['ready', '  → ready'],
  ['routed', '  → routed, first answer'],
];

function rowsOf(runs: readonly Run[]): Row[] {
  const floors = runs.map(({ floor }) => floor);
  const totals = runs.map(({ stages }) => Object.values(stages).reduce((sum, ms) => sum + ms, 0));
  const own = totals.map((total, i) => total - (floors[i] ?? 0));
  return [
    { what: 'floor: started and asked by hand', unit: 'ms', samples: floors },
    { what: 'commit → first answer', unit: 'ms', samples: totals, ratios: ratiosOf(totals, floors) },
    { what: 'the same, less the floor', unit: 'ms', samples: own },
    ...STAGES.map(
      ([stage, what]): Row => ({ what, unit: 'ms', samples: runs.map(({ stages }) => stages[stage]) }),
    ),
  ];
}

/** Says its revision, and when it was started and began to listen, by the clock that the daemon's events are told in. */
const SERVER = `
import { createServer } from 'node:http';

let listening = 0;
const server = createServer((_, response) => {
  response.setHeader('x-revision', process.env.REVISION);
  response.setHeader('x-started', performance.timeOrigin);
  response.setHeader('x-listening', listening);
  response.end('ok');
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => {
  listening = performance.timeOrigin + performance.now();
});
process.on('SIGTERM', () => process.exit(0));
`;

const COMMAND = 'exec node server.mjs';

function service(revision: number) {
  return {
    'server.mjs': SERVER,
    'web.dstack.yml': `type: service
name: web
env:
  - REVISION=${revision}
files:
  - server.mjs
commands:
  - ${COMMAND}
port: 8000
auth: false
probes:
  - type: http
    url: /
    interval: 1s
    ready_after: 1
`,
  };
}

async function rollOut(daemon: Daemon, repo: TestRepo, revision: number): Promise<Stages> {
  const commit = prepareCommit(repo, revision);
  const committed = Date.now();
  repo.git('update-ref', 'refs/heads/main', commit);
  const url = `${daemon.url}/proxy/services/main/web/`;
  const answer = await firstAnswer(url, revision);
  await daemon.happens('rollout-done', new RegExp(`^deployment ${revision} `), { ms: DEADLINE_MS });
  const events = await daemon.events();
  const at = (fits: (event: EventView) => boolean) => Date.parse(events.find(fits)?.time ?? '');
  const seen = at(({ event, commit: of }) => event === 'commit' && of === commit);
  const begun = at(({ event, deployment }) => event === 'deployment' && deployment === revision);
  const ready = at(({ event, deployment }) => event === 'replica-ready' && deployment === revision);
  return {
    seen: seen - committed,
    begun: begun - seen,
    started: answer.started - begun,
    listening: answer.listening - answer.started,
    ready: ready - answer.listening,
    routed: answer.at - ready,
  };
}

/** Everything but moving the branch: what git takes to write a commit is not ours. */
function prepareCommit(repo: TestRepo, revision: number): string {
  for (const [path, content] of Object.entries(service(revision)))
    writeFileSync(join(repo.dir, path), content);
  repo.git('add', '--all', '.');
  return repo.git('commit-tree', repo.git('write-tree'), '-p', 'HEAD', '-m', `Revision ${revision}`);
}

interface Answer {
  readonly at: number;
  readonly started: number;
  readonly listening: number;
}

async function firstAnswer(url: string, revision: number): Promise<Answer> {
  for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline; ) {
    const headers = await ask(url);
    const number = (name: string) => Number(headers?.get(name));
    if (number('x-revision') === revision)
      return { at: Date.now(), started: number('x-started'), listening: number('x-listening') };
    await pause(ASK_EVERY_MS);
  }
  throw new Error(`revision ${revision} did not answer within ${DEADLINE_MS} ms`);
}

async function ask(url: string): Promise<Headers | null> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.headers;
  } catch {
    return null;
  }
}

/** What nobody can be faster than: the shell and the process, asked until it answers. */
async function startByHand(repo: TestRepo): Promise<number> {
  const dir = join(repo.dir, '..', 'by-hand');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'server.mjs'), SERVER);
  const port = await freePort();
  const started = Date.now();
  const child = spawn('sh', ['-c', COMMAND], {
    cwd: dir,
    env: { ...process.env, PORT: String(port), REVISION: '0' },
    stdio: 'ignore',
  });
  try {
    const { at } = await firstAnswer(`http://127.0.0.1:${port}/`, 0);
    return at - started;
  } finally {
    await end(child);
  }
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
