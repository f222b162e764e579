// The test's side of the load client: starts it, tells it what is to be expected, hears what came of it.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.ts';

export const KINDS = ['kept', 'fresh', 'stream'] as const;
/** kept: on connections that are used again · fresh: a connection for each · stream: an answer in pieces */
export type Kind = (typeof KINDS)[number];

/** test -> client */
export type LoadOrder =
  | { readonly kind: 'begin'; readonly url: string; readonly perSecond: number }
  /** From now on no request that is started may be answered by an older revision. */
  | { readonly kind: 'oldest'; readonly revision: number }
  | { readonly kind: 'end' };

/** client -> test; every half second, and once more when the last answer is in. */
export interface LoadReport {
  readonly isOver: boolean;
  readonly seconds: number;
  readonly sent: { readonly [kind in Kind]: number };
  readonly answeredBy: { readonly [revision: string]: number };
  readonly failed: number;
  /** The first few, in words. */
  readonly failures: readonly string[];
}

export interface Load {
  /** The newest report. */
  now(): LoadReport;
  /** No request started from now on may be answered by a revision older than this. */
  oldest(revision: number): void;
  /** Waits until so many requests were sent, all kinds together. */
  reaches(requests: number): Promise<void>;
  /** Sends no more, waits for what is in flight, and gives the final count. */
  end(): Promise<LoadReport>;
  kill(): void;
}

const NOTHING: LoadReport = {
  isOver: false,
  seconds: 0,
  sent: { kept: 0, fresh: 0, stream: 0 },
  answeredBy: {},
  failed: 0,
  failures: [],
};

/** Begins to ask `url`, each kind so many times per second. */
export function startLoad(url: string, perSecond: number): Load {
  const program = fileURLToPath(new URL('load-client.ts', import.meta.url));
  const child = fork(program, { execArgv: [], env: {} });
  let newest = NOTHING;
  child.on('message', (report: LoadReport) => {
    newest = report;
  });
  const order = (next: LoadOrder) => void child.send(next);
  order({ kind: 'begin', url, perSecond });
  return {
    now: () => newest,
    oldest: (revision) => order({ kind: 'oldest', revision }),
    async reaches(requests) {
      await eventually(`${requests} requests are sent`, () => total(newest) >= requests, 120_000);
    },
    async end() {
      order({ kind: 'end' });
      await eventually('the last answer is in', () => newest.isOver, 30_000);
      return newest;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

export function total({ sent }: LoadReport): number {
  return KINDS.reduce((sum, kind) => sum + sent[kind], 0);
}
