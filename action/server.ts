// Asks the trueup server. What is unreachable for a moment is asked again; every refusal becomes a Failure with its fix.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import {
  type ApplyAnswer,
  type ApplyRequest,
  apiErrorSchema,
  applyAnswerSchema,
  type Capabilities,
  capabilitiesSchema,
  type EventView,
  eventSchema,
  type KeptPlans,
  keptPlansSchema,
  type LoginAnswer,
  loginAnswerSchema,
  type PlanRequest,
  type Status,
  statusSchema,
  type Why,
  whySchema,
} from '../schemas/api.ts';
import { Failure } from '../schemas/errors.ts';
import { type Plan, planSchema } from '../schemas/plan.ts';

/** All of it concerns one project. Throws `transient` (away), `unauthorized`, `not-found` or `invalid`. */
export interface Server {
  login(identity: string): Promise<LoginAnswer>;
  capabilities(): Promise<Capabilities>;
  /** Of files; of the newest commit without them. */
  plan(request: PlanRequest | null, keep?: boolean): Promise<Plan>;
  /** What is kept under a label, newest first. */
  keptPlans(label: string): Promise<KeptPlans['plans']>;
  keptPlan(id: string): Promise<Plan>;
  /** A refusal is an answer. */
  apply(request: ApplyRequest): Promise<ApplyAnswer>;
  status(): Promise<Status>;
  why(service: string): Promise<Why>;
  /** The newest that there are, oldest first. */
  history(limit: number): Promise<readonly EventView[]>;
  /** What comes after, until the signal or the server ends it. */
  events(after: number, signal: AbortSignal): AsyncGenerator<EventView>;
}

export interface ServerOptions {
  readonly url: string;
  readonly project: string;
  /** null: only to log in. */
  readonly token: string | null;
  /** Another token, when this one is not known any more. */
  readonly renew?: () => Promise<string | null>;
  /** Between one attempt and the next; as many as there are. Absent: for half a minute. */
  readonly pausesMs?: readonly number[];
}

export function createServer(given: ServerOptions): Server {
  const { project } = given;
  const options = { ...given };
  const get = async <T>(path: string, schema: z.ZodType<T>, query: Query = {}) =>
    parsed(await ask(options, path, { project, ...query }), schema);
  const post = async <T>(path: string, body: unknown, schema: z.ZodType<T>, also?: number) =>
    parsed(await ask(options, path, { project }, { body, also }), schema);
  return {
    login: (identity) => post('login', { token: identity }, loginAnswerSchema),
    capabilities: () => get('capabilities', capabilitiesSchema),
    plan: (request, keep = false) =>
      request ? post('plan', request, planSchema) : get('plan', planSchema, keep ? { keep: 1 } : {}),
    keptPlans: async (label) => (await get('plans', keptPlansSchema, { label })).plans,
    keptPlan: (id) => get(`plans/${encodeURIComponent(id)}`, planSchema),
    apply: (request) => post('applies', request, applyAnswerSchema, 409),
    status: () => get('status', statusSchema),
    why: (service) => get(`services/${encodeURIComponent(service)}/why`, whySchema),
    history: async (limit) => {
      const response = await ask(options, 'events', { project, limit });
      return Array.fromAsync(linesOf(response, eventSchema));
    },
    async *events(after, signal) {
      yield* linesOf(await ask(options, 'events', { project, after, follow: 1 }, { signal }), eventSchema);
    },
  };
}

// Private

type Query = { readonly [name: string]: string | number };

interface Asking {
  /** Absent: it is a question. */
  readonly body?: unknown;
  /** A status that is an answer too. */
  readonly also?: number | undefined;
  readonly signal?: AbortSignal;
}

const PAUSES_MS = [500, 1000, 2000, 4000, 8000, 15_000];

/** A plan asks clouds for offers, an apply waits for the commit; all else answers at once. */
const TIMEOUT_MS = 60_000;

/** The token may be replaced. */
type Options = Omit<ServerOptions, 'token'> & { token: string | null };

async function ask(options: Options, path: string, query: Query, asking: Asking = {}): Promise<Response> {
  const pauses = [...(options.pausesMs ?? PAUSES_MS)];
  for (let renewed = false; ; ) {
    const outcome = await attempt(options, path, query, asking);
    if (outcome instanceof Response) return outcome;
    const isExpired = outcome.kind === 'unauthorized' && isUnknown(outcome);
    const token = isExpired && !renewed ? await options.renew?.() : null;
    if (token) {
      options.token = token;
      renewed = true;
      continue;
    }
    const pause = pauses.shift();
    if (outcome.kind !== 'transient' || pause === undefined || asking.signal?.aborted) throw outcome;
    await sleep(pause);
  }
}

/** 401: the token proves nobody, or no more. */
function isUnknown({ cause }: Failure): boolean {
  return cause === 401;
}

async function attempt(
  options: ServerOptions,
  path: string,
  query: Query,
  { body, also, signal }: Asking,
): Promise<Response | Failure> {
  const { url, token } = options;
  const address = new URL(`${url}/api/v1/${path}`);
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, String(value));
  try {
    const response = await fetch(address, {
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
      // Elsewhere the token is nobody's business.
      redirect: 'manual',
      signal: signal ?? AbortSignal.timeout(TIMEOUT_MS),
    });
    return response.ok || response.status === also ? response : await refusalOf(response, url);
  } catch (cause) {
    if (signal?.aborted) throw cause;
    return new Failure('transient', `cannot reach the server at ${url}: ${causeOf(cause)}`, {
      fix: 'Is it up, and can this runner reach it? See docs/action.md, "How a runner reaches the server".',
      cause,
    });
  }
}

function causeOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(inner instanceof Error)) return 'unknown error';
  const { code } = inner as NodeJS.ErrnoException;
  if (inner.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  // Of an address that was tried in several ways there is no message, but a code.
  return CAUSES[code ?? ''] ?? (inner.message || code || 'unknown error');
}

const CAUSES: { readonly [code: string]: string } = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  ENOTFOUND: 'there is no host of this name',
  EAI_AGAIN: 'the name of the host cannot be looked up',
  ETIMEDOUT: 'no connection came about',
  UND_ERR_CONNECT_TIMEOUT: 'no connection came about',
};

const KINDS: { readonly [status: number]: Failure['kind'] } = {
  401: 'unauthorized',
  403: 'unauthorized',
  404: 'not-found',
  429: 'transient',
};

function kindOf(status: number): Failure['kind'] {
  return KINDS[status] ?? (status >= 500 ? 'transient' : 'invalid');
}

async function refusalOf(response: Response, url: string): Promise<Failure> {
  const kind = kindOf(response.status);
  const elsewhere = response.status < 400 ? response.headers.get('location') : null;
  if (elsewhere !== null)
    return new Failure('invalid', `${url} sends us on to ${hostOf(elsewhere, url)}`, {
      fix: 'Set the input `server` to the address of the server itself: no token is sent where it was not meant to go.',
    });
  const { data } = apiErrorSchema.safeParse(await response.json().catch(() => undefined));
  if (data)
    return new Failure(kind, `the server says: ${data.detail}`, {
      fix: data.fix ?? '',
      cause: response.status,
    });
  return new Failure(kind, `${url} answered ${response.status}, not as trueup does`, {
    fix: 'Check the input `server`.',
  });
}

/** Without what may follow it. */
function hostOf(location: string, url: string): string {
  return URL.parse(location, url)?.origin ?? 'somewhere else';
}

async function parsed<T>(response: Response, schema: z.ZodType<T>): Promise<T> {
  return checked(await response.json().catch(() => undefined), schema);
}

function checked<T>(value: unknown, schema: z.ZodType<T>): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const where = result.error.issues[0]?.path.join('.');
  throw new Failure(
    'invalid',
    `the server answered something else than expected${where ? ` at \`${where}\`` : ''}`,
    {
      fix: 'Use a version of the Action that fits the version of the server.',
    },
  );
}

async function* linesOf<T>(response: Response, schema: z.ZodType<T>): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body ?? []) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield checked(z.json().parse(JSON.parse(line)), schema);
  }
}
