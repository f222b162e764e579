// Asks the daemon. Every way it can go wrong becomes a sentence with a fix.
import type { z } from 'zod';
import { apiErrorSchema, type PlanRequest } from '../../schemas/api.ts';
import type { Address } from './address.ts';
import { CommandFailure } from './failure.ts';

export type Query = { readonly [name: string]: string | number | undefined };

export interface Client {
  get<T>(path: string, query: Query, schema: z.ZodType<T>): Promise<T>;
  post<T>(path: string, query: Query, body: PlanRequest, schema: z.ZodType<T>): Promise<T>;
  /** JSON lines as they come, until the server ends them or `signal` aborts. */
  lines<T>(path: string, query: Query, schema: z.ZodType<T>, signal: AbortSignal): AsyncGenerator<T>;
}

/** A plan may ask clouds for offers; anything else answers at once. */
const TIMEOUT_MS = 60_000;

export function createClient(address: Address): Client {
  const ask = async (path: string, query: Query, init: RequestInit): Promise<Response> => {
    const response = await reach(address, urlOf(address.url, path, query), init);
    if (!response.ok) throw await refusal(response, address);
    return response;
  };
  return {
    async get(path, query, schema) {
      const response = await ask(path, query, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      return parsed(await response.json(), schema, address);
    },
    async post(path, query, body, schema) {
      const init = {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      };
      const response = await ask(path, query, init);
      return parsed(await response.json(), schema, address);
    },
    async *lines(path, query, schema, signal) {
      const response = await ask(path, query, { signal });
      for await (const line of textLines(response.body)) {
        if (line !== '') yield parsed(JSON.parse(line), schema, address);
      }
    },
  };
}

/** True for a connection that was refused or broke: the server may come back. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof Unreachable || error instanceof TypeError;
}

// Private

class Unreachable extends CommandFailure {}

function urlOf(base: string, path: string, query: Query): URL {
  const url = new URL(`api/v1/${path}`, base.endsWith('/') ? base : `${base}/`);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

async function reach({ url: base, token }: Address, url: URL, init: RequestInit): Promise<Response> {
  const headers = { ...init.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
  try {
    return await fetch(url, { ...init, headers, redirect: 'error' });
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw error;
    const fix = 'Is `trueup serve` running there? Set TRUEUP_URL to ask another server.';
    throw new Unreachable(`cannot reach the server at ${base}: ${causeOf(error)}`, fix);
  }
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return 'unknown error';
  if (cause.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  const code = (cause as NodeJS.ErrnoException).code;
  return code === 'ECONNREFUSED' ? 'nothing listens there' : cause.message || (code ?? 'unknown error');
}

async function refusal(response: Response, { url }: Address): Promise<CommandFailure> {
  const body = apiErrorSchema.safeParse(await response.json().catch(() => undefined));
  const { status } = response;
  if (!body.success) {
    return new CommandFailure(`${url} answered ${status}, not as trueup does`, 'Check TRUEUP_URL.');
  }
  const { detail, fix = '' } = body.data;
  if (status === 503)
    return new Unreachable(detail, fix || 'Start `trueup serve` again, or wait until it is up.');
  return new CommandFailure(detail, fix, status === 403 ? 1 : 2);
}

function parsed<T>(value: unknown, schema: z.ZodType<T>, { url }: Address): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join('.');
  throw new CommandFailure(
    `${url} answered something else than expected${where ? ` at \`${where}\`` : ''}`,
    'Use the same version of trueup on both sides.',
  );
}

async function* textLines(body: ReadableStream<Uint8Array> | null): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body ?? []) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
