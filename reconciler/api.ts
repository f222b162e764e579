// The daemon's HTTP API, its page and its metrics. Reads the store and asks the daemon; changes nothing itself but
// that a plan is kept and a commit approved.
import { readFileSync } from 'node:fs';
import { Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { z } from 'zod';
import type { Capabilities } from '../schemas/api.ts';
import { asFailure } from '../schemas/errors.ts';
import { nameAround } from '../schemas/keys.ts';
import { type ApplyDeps, apply } from './api/applies.ts';
import { answer, answerFailure, unknown } from './api/errors.ts';
import { type Env, requires, requiresRead } from './api/guard.ts';
import { logIn } from './api/login.ts';
import { metricsText } from './api/metrics.ts';
import { pageHeaders, pageOf } from './api/page.ts';
import { keptPlan, keptPlans, type PlanDeps, planCommit, planFiles } from './api/plans.ts';
import { namesOf, readAny, readService, readStatus, serviceNames, type UrlOf } from './api/read.ts';
import { type ApiContext, count, flag, limited, projectOf, visible } from './api/request.ts';
import { eventsOf, jsonLines } from './api/stream.ts';
import type { Login } from './oidc.ts';
import type { ReporterHealth } from './report/reporter.ts';
import type { Store } from './store/store.ts';
import { findToken, mayUse, SCOPES, type TokenEntry } from './tokens.ts';
import type { createWebhook } from './webhook.ts';

export interface LogRequest {
  readonly project: string;
  readonly service: string;
  /** null: every replica. */
  readonly replica: number | null;
  readonly tail: number;
  readonly follow: boolean;
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal;
}

export interface LogEntry {
  /** Epoch ms. */
  readonly at: number;
  readonly replica: string;
  readonly stream: 'out' | 'err';
  readonly text: string;
}

export type Webhook = ReturnType<typeof createWebhook>;

export interface ApiDeps extends PlanDeps, ApplyDeps {
  readonly store: Store;
  readonly tokens: readonly TokenEntry[];
  /** null: the server knows its own tokens only. */
  readonly login: Login | null;
  readonly projects: readonly string[];
  /** How the server's own statuses at GitHub fare; null: it sets none. */
  readonly reporting: (project: string) => ReporterHealth | null;
  /** Who sees the page and the metrics. */
  readonly page: 'open' | 'token';
  /** Null when the daemon can do its work, else why it cannot. */
  readonly unready: () => string | null;
  readonly urlOf: UrlOf;
  readonly logs: (request: LogRequest) => AsyncIterable<LogEntry>;
  /** Takes a delivery with its body unread; null when the project takes none. */
  readonly webhook: (project: string) => Webhook | null;
  /** Told of what went wrong here, for the operator's log. */
  readonly report: (error: Error) => void;
}

const PLAN_BYTES = 32 * 1024 * 1024;
/** Room for what is asked for by name, and for a token. */
const SMALL_BYTES = 64 * 1024;
const EVENTS_ON_PAGE = 20;

export function createApi(deps: ApiDeps): Hono<Env> {
  const app = new Hono<Env>();
  const find = async (token: string) =>
    findToken(deps.tokens, token) ?? (await deps.login?.find(token)) ?? null;
  const read = requires(find, 'read');
  const open = requiresRead(find, deps.page);
  app.get('/api/v1/status', read, (c) => status(c, deps));
  app.get('/api/v1/services/:name', read, (c) => service(c, deps, 'view'));
  app.get('/api/v1/services/:name/why', read, (c) => service(c, deps, 'why'));
  app.get('/api/v1/services/:name/logs', read, (c) => logs(c, deps));
  app.get('/api/v1/events', read, (c) => events(c, deps));
  app.get('/api/v1/plan', read, (c) => planCommit(c, deps));
  app.post('/api/v1/plan', read, limited(PLAN_BYTES), (c) => planFiles(c, deps));
  app.get('/api/v1/plans', read, (c) => keptPlans(c, deps));
  app.get('/api/v1/plans/:id', read, (c) => keptPlan(c, deps));
  app.post('/api/v1/applies', requires(find, 'apply'), limited(SMALL_BYTES), (c) => apply(c, deps));
  app.get('/api/v1/capabilities', read, (c) => capabilities(c, deps));
  app.post('/api/v1/login', limited(SMALL_BYTES), (c) => logIn(c, deps.login));
  app.post('/webhooks/:provider{github|git}', (c) => webhook(c, deps));
  app.get('/readyz', (c) => readiness(c, deps));
  app.get('/metrics', open, (c) => metrics(c, deps));
  app.get('/', open, (c) => page(c, deps));
  app.notFound((c) =>
    answer(c, 404, `there is nothing at ${c.req.method} ${c.req.path}`, 'See /api/v1/status.'),
  );
  app.onError((error, c) => {
    const failure = asFailure(error);
    if (failure.kind === 'bug') deps.report(error);
    return answerFailure(c, failure);
  });
  return app;
}

// Private

export const VERSION = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))).version;

async function status(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const project = projectOf(c, deps.projects);
  if (typeof project !== 'string') return project;
  const all = await readStatus(deps.store, project, deps.urlOf);
  const name = c.req.query('service');
  if (name === undefined) return c.json(all);
  const services = all.services.filter((service) => service.name === name);
  // Of a service, also what it names.
  const around = all.around.filter(
    (each) =>
      nameAround(each.kind, each.name) === name || each.services.some((service) => service.name === name),
  );
  if (services.length + around.length > 0) return c.json({ ...all, services, around });
  return unknown(c, 'service', name, await namesOf(deps.store, project));
}

async function service(c: ApiContext, deps: ApiDeps, what: 'view' | 'why'): Promise<Response> {
  const project = projectOf(c, deps.projects);
  if (typeof project !== 'string') return project;
  const name = c.req.param('name') ?? '';
  const found = await readAny(deps.store, project, name, deps.urlOf);
  if (found) return c.json(found[what]);
  return unknown(c, 'service', name, await namesOf(deps.store, project));
}

const eventQuerySchema = z.object({
  after: count(Number.MAX_SAFE_INTEGER).optional(),
  limit: count(10_000).default(100),
  service: z.string().optional(),
  follow: flag.default(false),
});

async function events(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const project = projectOf(c, deps.projects);
  if (typeof project !== 'string') return project;
  const query = eventQuerySchema.safeParse(c.req.query());
  if (!query.success) return badQuery(c, query.error);
  const { follow, after, limit, service } = query.data;
  const wanted = {
    project,
    limit,
    ...(after === undefined ? {} : { after }),
    ...(service ? { service } : {}),
  };
  if (service && !(await isKnown(deps, project, service))) {
    return unknown(c, 'service', service, await namesOf(deps.store, project));
  }
  return jsonLines((signal) => eventsOf(deps.store, wanted, follow, signal));
}

/** A service that is gone still has its history. */
async function isKnown({ store }: ApiDeps, project: string, service: string): Promise<boolean> {
  if (await store.load(`${project}/${service}`)) return true;
  return (await store.events({ project, service, limit: 1 })).length > 0;
}

const logQuerySchema = z.object({
  replica: count(1_000_000_000).optional(),
  tail: count(100_000).default(200),
  follow: flag.default(false),
});

async function logs(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const project = projectOf(c, deps.projects);
  if (typeof project !== 'string') return project;
  const query = logQuerySchema.safeParse(c.req.query());
  if (!query.success) return badQuery(c, query.error);
  const { replica = null, tail, follow } = query.data;
  const name = c.req.param('name') ?? '';
  const found = await readService(deps.store, project, name, deps.urlOf);
  if (!found) return unknown(c, 'service', name, await serviceNames(deps.store, project));
  const names = found.view.replicas.map((item) => item.name);
  if (replica !== null && ![...names, ...found.failed].includes(`${name}-${replica}`)) {
    const known = names.join(', ') || 'none';
    return answer(c, 404, `${name} has no replica ${replica}`, `Its replicas now: ${known}.`);
  }
  return jsonLines((signal) => spelled(deps.logs({ project, service: name, replica, tail, follow, signal })));
}

async function* spelled(entries: AsyncIterable<LogEntry>) {
  for await (const { at, replica, stream, text } of entries) {
    yield { time: new Date(at).toISOString(), replica, stream, text };
  }
}

function capabilities(c: ApiContext, deps: ApiDeps): Response {
  const project = projectOf(c, deps.projects);
  if (typeof project !== 'string') return project;
  const able: Capabilities = {
    version: VERSION,
    project,
    apply: deps.applyOf(project),
    github: { statuses: deps.reporting(project)?.isReporting ?? false },
    scopes: SCOPES.filter((scope) => mayUse(c.var.token, scope, project)),
  };
  return c.json(able);
}

/** Proven by its signature, not by a token. Its body is read by the one who knows the secret. */
async function webhook(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const receive = deps.webhook(c.req.query('project') ?? 'main');
  if (!receive)
    return answer(c, 404, 'no such project, or it takes no webhooks', 'Set its `webhook_secret`.');
  const provider = c.req.param('provider') === 'github' ? 'github' : 'git';
  const { status, body } = await receive(provider, c.env.incoming);
  return c.json(body, status as ContentfulStatusCode);
}

function readiness(c: ApiContext, deps: ApiDeps): Response {
  const reason = deps.unready();
  return reason === null ? c.json({ ready: true }) : answer(c, 503, reason);
}

async function metrics(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const reporting = visible(c, deps.projects).flatMap((project) => {
    const health = deps.reporting(project);
    return health ? { project, ...health } : [];
  });
  const text = metricsText(await statuses(c, deps), reporting, VERSION);
  return c.body(text, 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
}

async function page(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const projects = visible(c, deps.projects);
  const histories = projects.map((project) => deps.store.events({ project, limit: EVENTS_ON_PAGE }));
  const latest = (await Promise.all(histories)).flat().sort((a, b) => b.seq - a.seq);
  const body = pageOf(await statuses(c, deps), latest.slice(0, EVENTS_ON_PAGE), VERSION);
  return c.html(body, 200, { ...pageHeaders() });
}

async function statuses(c: ApiContext, deps: ApiDeps) {
  return Promise.all(visible(c, deps.projects).map((project) => readStatus(deps.store, project, deps.urlOf)));
}

function badQuery(c: ApiContext, error: z.ZodError): Response {
  const [issue] = error.issues;
  const name = issue?.path.join('.') ?? '';
  return answer(
    c,
    400,
    `the parameter \`${name}\` is not valid`,
    'See `trueup events --help` and `trueup logs --help`.',
  );
}
