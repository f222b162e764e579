// What `trueup serve` prints: a greeting, then everything that happens, line by line.
import { homedir, hostname } from 'node:os';
import type { ServiceView } from '../schemas/api.ts';
import type { Event } from '../schemas/events.ts';
import { readStatus, type UrlOf } from './api/read.ts';
import { render, renderLine, type Screen, screenOf } from './cli/screen.ts';
import type { Source } from './source/git.ts';
import type { Store } from './store/store.ts';
import { BLANK, type Cell, dim, type Line, line, plain, strong, toneOf } from './view/cells.ts';
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
  /** Prints events of these projects as they come, from now on; and once the services have started, where each is. */
  follow(store: Store, projects: readonly string[], urlOf: UrlOf): Promise<void>;
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
    async follow(store, projects, urlOf) {
      const seen = new Map<string, number>();
      for (const project of projects)
        seen.set(project, (await store.events({ project, limit: 1 })).at(-1)?.seq ?? 0);
      const unannounced = new Set(projects);
      const named = (event: Event): Event =>
        projects.length > 1 ? { ...event, service: `${event.project}/${event.service || '-'}` } : event;
      const print = async () => {
        for (const project of projects) {
          const events = await store.events({ project, after: seen.get(project) ?? 0, limit: 200 });
          for (const event of events) stream.write(renderLine(eventLine(named(event)), screen));
          seen.set(project, events.at(-1)?.seq ?? seen.get(project) ?? 0);
          if (events.length > 0 && unannounced.has(project)) await announce(project);
        }
      };
      const announce = async (project: string) => {
        const { commit, services } = await readStatus(store, project, urlOf);
        if (!commit || services.length === 0 || services.some(({ status }) => status === 'starting')) return;
        unannounced.delete(project);
        stream.write(render([BLANK, ...services.flatMap(addressLines), BLANK], screen));
      };
      // What goes on from an earlier life is told at once. A store that does not answer is told about by the loop.
      for (const project of projects) await announce(project);
      unsubscribe = store.subscribe(oneAtATime(() => print().catch(() => {})));
    },
    stop: () => unsubscribe(),
  };
}

// Private

/** Runs `work` when called, and once more if it was called meanwhile. */
function oneAtATime(work: () => Promise<void>): () => void {
  let running = false;
  let again = false;
  const run = async () => {
    running = true;
    do {
      again = false;
      await work();
    } while (again);
    running = false;
  };
  return () => {
    if (running) again = true;
    else void run();
  };
}

function addressLines({ name, status, ready, desired, url }: ServiceView): Line[] {
  const state = { text: `${status} ${ready}/${desired}`, tone: toneOf(status) };
  return [line(2, strong(name), state), line(4, dim(url))];
}

/** A local repository that is away cannot tell which of its folders was meant. */
function pathOf(source: Source): string {
  try {
    return source.path();
  } catch {
    return '';
  }
}

function greetingLines({ url, store, dataDir, sources, callToken, isTour }: Greeting): Cell[][] {
  const watched = sources.map(({ project, source }) => {
    const path = pathOf(source);
    return [
      dim('  watches  '),
      strong(fromHome(`${source.description}${path ? `/${path}` : ''}`)),
      dim(`(project ${project})`),
    ];
  });
  const calls = callToken ? [[dim('  call with'), plain('Authorization: Bearer'), strong(callToken)]] : [];
  return [
    [],
    [strong('trueup'), dim(`on ${hostname()}, pid ${process.pid}`)],
    ...watched,
    [dim('  serves   '), strong(url)],
    [dim('  state in '), plain(fromHome(dataDir)), dim(`(${store})`)],
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
      plain('and commit: it rolls out, replica by replica.'),
    ],
    [dim('Ctrl-C ends everything that was started.')],
    [],
  ];
}

/** As people write it. */
function fromHome(path: string): string {
  const home = `${homedir()}/`;
  return path.startsWith(home) ? `~/${path.slice(home.length)}` : path;
}
