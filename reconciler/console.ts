// What `trueup serve` prints: a greeting, then everything that happens, line by line.
import { hostname } from 'node:os';
import type { Event } from '../schemas/events.ts';
import { renderLine, type Screen, screenOf } from './cli/screen.ts';
import type { Source } from './source/git.ts';
import type { Store } from './store/store.ts';
import { type Cell, dim, line, plain, strong } from './view/cells.ts';
import { eventLine } from './view/lines.ts';

export interface Greeting {
  readonly url: string;
  readonly store: Store['kind'];
  readonly dataDir: string;
  readonly sources: readonly { readonly project: string; readonly source: Source }[];
  /** null: callers bring tokens of their own. */
  readonly callToken: string | null;
  /** Made for the examples: tells a newcomer what to do next. */
  readonly isTour: boolean;
}

export interface Console {
  note(text: string): void;
  greet(greeting: Greeting): void;
  /** Prints events of these projects as they come, from now on. */
  follow(store: Store, projects: readonly string[]): Promise<void>;
  stop(): void;
}

export function createConsole(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Console {
  const screen: Screen = screenOf(stream, env);
  const say = (...cells: readonly Cell[]) => void stream.write(renderLine(line(0, ...cells), screen));
  let unsubscribe = () => {};

  return {
    note: (text) => say(dim(text)),
    greet(greeting) {
      for (const cells of greetingLines(greeting)) say(...cells);
    },
    async follow(store, projects) {
      const seen = new Map<string, number>();
      for (const project of projects)
        seen.set(project, (await store.events({ project, limit: 1 })).at(-1)?.seq ?? 0);
      let busy = Promise.resolve();
      const print = async () => {
        for (const project of projects) {
          const events = await store.events({ project, after: seen.get(project) ?? 0, limit: 200 });
          for (const event of events) show(event);
          seen.set(project, events.at(-1)?.seq ?? seen.get(project) ?? 0);
        }
      };
      unsubscribe = store.subscribe(() => {
        // A store that does not answer is told about by the loop.
        busy = busy.then(print).catch(() => {});
      });
    },
    stop: () => unsubscribe(),
  };

  function show(event: Event): void {
    stream.write(renderLine(eventLine(event), screen));
  }
}

// Private

function greetingLines({ url, store, dataDir, sources, callToken, isTour }: Greeting): Cell[][] {
  const watched = sources.map(({ project, source }) => {
    const path = source.path();
    return [
      dim('  watches '),
      strong(`${source.description}${path ? `/${path}` : ''}`),
      dim(`(project ${project})`),
    ];
  });
  const calls = callToken ? [[dim('  call with'), plain('Authorization: Bearer'), strong(callToken)]] : [];
  return [
    [],
    [strong('trueup'), dim(`on ${hostname()}, pid ${process.pid}`)],
    ...watched,
    [dim('  serves  '), strong(url), dim(`state in ${dataDir} (${store})`)],
    ...calls,
    [],
    ...(isTour ? tourLines(url) : []),
  ];
}

function tourLines(url: string): Cell[][] {
  return [
    [plain('Try, in another terminal:')],
    [strong(`  curl ${url}/proxy/services/main/hello/`)],
    [strong('  npx trueup status --watch')],
    [
      plain('Then change MESSAGE in'),
      strong('examples/hello.dstack.yml'),
      plain('and commit: it rolls out.'),
    ],
    [dim('Ctrl-C ends everything that was started.')],
    [],
  ];
}
