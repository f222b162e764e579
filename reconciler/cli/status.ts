// `trueup status` and `trueup why`: how services are, once or for as long as somebody watches.
import { setTimeout as sleep } from 'node:timers/promises';
import { type ServiceView, type Status, statusSchema, whySchema } from '../../schemas/api.ts';
import type { AroundView } from '../../schemas/api-around.ts';
import { nameAround } from '../../schemas/keys.ts';
import { aroundBlocks, attentionTo, countsOf, holders } from '../view/around.ts';
import { dim, line, strong, toneOf } from '../view/cells.ts';
import { attentionOf, serviceBlocks, statusBlocks, whyBlocks } from '../view/status.ts';
import { isUnreachable } from './client.ts';
import { render } from './screen.ts';
import type { Session } from './session.ts';

export interface StatusOptions {
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** 1 when a service does not run as asked and will not by itself. */
export async function showStatus(
  session: Session,
  name: string | undefined,
  options: StatusOptions,
): Promise<number> {
  const client = session.client();
  const read = () => client.get('status', { project: session.project, service: name }, statusSchema);
  if (options.watch) return watch(session, read, name !== undefined, options.json ?? false);
  const status = await read();
  await (options.json ? session.json(status) : session.blocks(blocksOf(status, name !== undefined)));
  return exitCodeOf(status);
}

export async function showWhy(session: Session, name: string, { json }: { json?: boolean }): Promise<number> {
  const path = `services/${encodeURIComponent(name)}/why`;
  const why = await session.client().get(path, { project: session.project }, whySchema);
  await (json ? session.json(why) : session.blocks(whyBlocks(why)));
  return 0;
}

// Private

const BAD: ReadonlySet<ServiceView['status'] | AroundView['status']> = new Set([
  'failed',
  'degraded',
  'invalid',
  'lost',
]);
const EVERY_MS = 1000;

function exitCodeOf({ services, around }: Status): number {
  return [...services, ...around].some(({ status }) => BAD.has(status)) ? 1 : 0;
}

function blocksOf(status: Status, isOne: boolean) {
  if (!isOne) return statusBlocks(status);
  const { services, around } = status;
  return services.length > 0 ? services.flatMap(serviceBlocks) : around.flatMap(aroundBlocks);
}

async function watch(session: Session, read: () => Promise<Status>, isOne: boolean, json: boolean) {
  const ended = session.ended();
  let last = await read();
  const show = json
    ? showJson(session)
    : session.screen().live
      ? redraw(session, isOne)
      : showChanges(session);
  try {
    await show.status(last);
    while (!ended.aborted) {
      await sleep(EVERY_MS, undefined, { signal: ended }).catch(() => {});
      if (ended.aborted) break;
      try {
        last = await read();
        await show.status(last);
      } catch (error) {
        if (!isUnreachable(error)) throw error;
        await show.lost(error instanceof Error ? error.message : String(error));
      }
    }
  } finally {
    await show.end();
  }
  return exitCodeOf(last);
}

interface Display {
  status(status: Status): Promise<void>;
  /** The server cannot be asked just now. */
  lost(message: string): Promise<void>;
  end(): Promise<void>;
}

const HIDE = '\x1b[?25l\x1b[?7l';
const SHOW = '\x1b[?25h\x1b[?7h';

/** In place: the cursor goes back up over what was drawn, every line is written over, the rest is wiped. */
function redraw(session: Session, isOne: boolean): Display {
  let drawn = 0;
  let body = '';
  const draw = async (text: string) => {
    const { height } = session.screen();
    const lines = text.split('\n').slice(0, -1);
    const shown =
      lines.length < height
        ? lines
        : [...lines.slice(0, height - 2), `… ${lines.length - height + 2} more lines`];
    const up = drawn > 0 ? `\x1b[${drawn}A` : '';
    drawn = shown.length;
    await session.print(`${HIDE}\r${up}${shown.map((item) => `\x1b[2K${item}\n`).join('')}\x1b[J`);
  };
  return {
    async status(status) {
      body = render(blocksOf(status, isOne), session.screen());
      await draw(body);
    },
    lost: (message) => draw(body + render([line(0, { text: message, tone: 'bad' })], session.screen())),
    end: () => session.print(SHOW),
  };
}

/** Where nobody looks at a screen: a line whenever a service changes. */
function showChanges(session: Session): Display {
  const known = new Map<string, string>();
  const say = async (
    name: string,
    status: ServiceView['status'] | AroundView['status'],
    ...more: string[]
  ) => {
    const cells = [
      strong(name),
      { text: status, tone: toneOf(status) },
      ...more.filter((text) => text !== '').map(dim),
    ];
    const key = JSON.stringify(cells);
    if (known.get(name) === key) return;
    known.set(name, key);
    await session.line(line(0, dim(new Date().toISOString()), ...cells));
  };
  return {
    async status({ services, around }) {
      for (const service of services) {
        const { name, status, ready, desired, deployment } = service;
        const counts = [`${ready}/${desired}`, `deployment ${deployment ?? 'none'}`];
        await say(name, status, ...counts, attentionOf(service));
      }
      for (const each of around)
        await say(nameAround(each.kind, each.name), each.status, useText(each), attentionTo(each));
      const names = new Set([
        ...services.map(({ name }) => name),
        ...around.map(({ kind, name }) => nameAround(kind, name)),
      ]);
      const gone = [...known.keys()].filter((name) => !names.has(name));
      for (const name of gone) {
        known.delete(name);
        await session.line(line(0, dim(new Date().toISOString()), strong(name), dim('gone')));
      }
    },
    lost: async (message) => session.note(message),
    end: async () => {},
  };
}

function useText(view: AroundView): string {
  if (view.kind === 'volume') return `held by ${holders(view)}`;
  const { used, idle } = countsOf(view);
  return `${view.machines.length} machines, ${used} used, ${idle} idle`;
}

/** A document per change. */
function showJson(session: Session): Display {
  let last = '';
  return {
    async status(status) {
      const text = JSON.stringify(status);
      if (text !== last) await session.print(`${text}\n`);
      last = text;
    },
    lost: async (message) => session.note(message),
    end: async () => {},
  };
}
