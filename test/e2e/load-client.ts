// A client that forgives nothing: a process of its own that asks at a fixed pace, never repeats a request, and counts
// every answer that is not exactly the right one. Started by `startLoad`, spoken to over Node's channel.
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { KINDS, type Kind, type LoadOrder } from './load.ts';

const WAIT_MS = 20_000;
const REPORT_MS = 500;
const TICK_MS = 10;
const SHOWN = 20;
const ECHO = 'what is sent comes back '.repeat(40);

process.once('message', (order: LoadOrder) => runLoad(order));

function runLoad(order: LoadOrder): void {
  if (order.kind !== 'begin') return;
  const { url, perSecond } = order;
  const agents = {
    kept: new Agent({ keepAlive: true }),
    fresh: false,
    stream: new Agent({ keepAlive: true }),
  } as const;
  const startedAt = performance.now();
  const sent = { kept: 0, fresh: 0, stream: 0 };
  const answeredBy: Record<string, number> = {};
  const failures: string[] = [];
  let failed = 0;
  let open = 0;
  let oldest = 0;
  let isEnding = false;

  process.on('message', (next: LoadOrder) => {
    if (next.kind === 'oldest') oldest = next.revision;
    if (next.kind === 'end') isEnding = true;
  });
  process.on('disconnect', () => process.exit());
  setInterval(sendDue, TICK_MS);
  setInterval(report, REPORT_MS);

  function sendDue(): void {
    if (isEnding) {
      if (open === 0) finish();
      return;
    }
    const due = ((performance.now() - startedAt) / 1000) * perSecond;
    for (const kind of KINDS) while (sent[kind] < due) void send(kind);
  }

  async function send(kind: Kind): Promise<void> {
    sent[kind] += 1;
    open += 1;
    const floor = oldest;
    const body = kind !== 'stream' && sent[kind] % 2 === 0 ? ECHO : null;
    const after = () => `${kind} ${body ? 'POST' : 'GET'} at ${seconds().toFixed(2)} s: `;
    try {
      const revision = await ask(kind, body);
      answeredBy[revision] = (answeredBy[revision] ?? 0) + 1;
      if (revision < floor) fail(`${after()}revision ${revision} after ${floor} was done`);
    } catch (error) {
      fail(`${after()}${error instanceof Error ? error.message : error}`);
    }
    open -= 1;
  }

  /** Gives the revision that answered; throws for anything but the whole right answer. */
  async function ask(kind: Kind, body: string | null): Promise<number> {
    const outgoing = request(kind === 'stream' ? `${url}stream` : url, {
      agent: agents[kind],
      method: body === null ? 'GET' : 'POST',
      signal: AbortSignal.timeout(WAIT_MS),
    });
    outgoing.end(body ?? undefined);
    const response = await responseTo(outgoing);
    const answer = await text(response);
    const revision = Number(response.headers['x-revision']);
    if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${answer.slice(0, 200)}`);
    if (!response.complete) throw new Error(`broken off after ${answer.length} bytes`);
    if (answer !== expected(kind, body, revision)) throw new Error(`wrong answer: ${answer.slice(0, 200)}`);
    return revision;
  }

  function fail(what: string): void {
    failed += 1;
    if (failures.length < SHOWN) failures.push(what);
  }

  function seconds(): number {
    return (performance.now() - startedAt) / 1000;
  }

  function report(): void {
    process.send?.({
      isOver: isEnding && open === 0,
      seconds: seconds(),
      sent,
      answeredBy,
      failed,
      failures,
    });
  }

  function finish(): void {
    report();
    process.disconnect();
  }
}

function responseTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve).once('error', reject);
  });
}

function expected(kind: Kind, body: string | null, revision: number): string {
  if (body !== null) return body;
  if (kind !== 'stream') return `revision ${revision}`;
  return `words that arrive one after the other over a while of revision ${revision}`;
}
