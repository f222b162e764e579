// One request on a connection of its own: what came back was said by whoever listens now, not by one who is gone.
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface AskOptions {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Never repeated: a connection that is refused or broken off throws. */
export async function ask(url: string, { method, headers = {}, body }: AskOptions = {}): Promise<Answer> {
  const signal = AbortSignal.timeout(LONGEST_MS);
  const outgoing = request(url, { agent: false, method: method ?? 'GET', headers, signal });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, text: await text(response) };
}

// Private

const LONGEST_MS = 20_000;
