// Repositories to watch: a fresh folder with one in it, and the files of small services.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeRepo, type TestRepo } from '../git.ts';
import { endProcessesOf } from './processes.ts';

export interface Home {
  readonly dir: string;
  /** For a daemon; not made yet. */
  readonly dataDir: string;
  /** A new repository in it. */
  repo(name?: string): TestRepo;
  /** Ends whatever runs on the data dir, and removes all. */
  remove(): Promise<void>;
}

/** A folder of its own for a daemon and the repositories it watches. */
export function newHome(): Home {
  const dir = mkdtempSync(join(tmpdir(), 'trueup-e2e-'));
  return {
    dir,
    dataDir: join(dir, 'data'),
    repo: (name = 'repo') => makeRepo(join(dir, name)),
    async remove() {
      await endProcessesOf(dir);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The examples that come with the program, committed in a repository of their own. */
export function repoOfExamples(home: Home): TestRepo {
  const repo = home.repo();
  const examples = fileURLToPath(new URL('../../examples', import.meta.url));
  cpSync(examples, join(repo.dir, 'examples'), { recursive: true });
  repo.commit({}, 'The examples');
  return repo;
}

/**
 * Answers its revision at `/`, word by word at `/stream`, and whatever it is sent to a POST. SIGTERM ends
 * it in the midst of whatever it does: that no request is lost is not its merit.
 */
export const WEB_SERVER = `
import { createServer } from 'node:http';
import { setTimeout } from 'node:timers/promises';

const { PORT, REVISION } = process.env;
const words = 'words that arrive one after the other over a while'.split(' ');

const server = createServer(async (request, response) => {
  response.setHeader('x-revision', REVISION);
  if (request.method === 'POST') return request.pipe(response);
  if (request.url !== '/stream') return response.end('revision ' + REVISION);
  for (const word of words) {
    response.write(word + ' ');
    await setTimeout(12);
  }
  response.end('of revision ' + REVISION);
});

server.listen(Number(PORT), '127.0.0.1');
`;

/** The service \`web\` at a revision: two replicas of \`WEB_SERVER\`, asked by a quick probe. */
export function webService(revision: number, more = ''): { readonly [path: string]: string } {
  return {
    'web.mjs': WEB_SERVER,
    'web.dstack.yml': `type: service
name: web
env:
  - REVISION=${revision}
files:
  - web.mjs
commands:
  - exec node web.mjs
port: 8000
replicas: 2
auth: false
probes:
  - type: http
    url: /
    interval: 1s
    ready_after: 2
${more}`,
  };
}

/** A service of one replica, ready once it listens, whose whole answer is `says`. */
export function smallService(name: string, says: string, more = ''): string {
  const answer = 'require("http").createServer((q, s) => s.end(process.env.SAYS)).listen(process.env.PORT)';
  return `type: service
name: ${name}
env:
  - SAYS=${says}
commands:
  - exec node -e '${answer}'
port: 8000
auth: false
${more}`;
}
