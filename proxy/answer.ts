// What happens to one request: matched, admitted, and sent to a replica, to the daemon, or answered here.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServiceRoute } from '../schemas/routes.ts';
import { groupKey } from './arrivals.ts';
import { pick } from './balance.ts';
import { type ForwardFailure, forward, type Passage } from './forward.ts';
import { requestHeaders, responseHeaders, unchanged, underPrefix } from './headers.ts';
import { match, type Target } from './match.ts';
import { replyDetail, replyJson, replyModelError, replyRedirect } from './replies.ts';
import type { Routing, Service } from './routing.ts';
import type { Upstream } from './upstream.ts';
import type { WaitingRoom } from './waiting-room.ts';

export interface Surroundings {
  readonly routing: Routing;
  readonly room: WaitingRoom;
  /** A request for this replica group (`<project>/<service>/<group>`) has come. */
  readonly arrived: (group: string) => void;
  /** The daemon's API. */
  readonly daemon: () => Upstream;
  readonly isDaemonUp: () => boolean;
  readonly answerMs: number;
}

/** A request together with where its answer goes. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upgrade?: Passage['upgrade'];
}

/** What a caller should wait before it asks again for what is not there yet. */
const RETRY_AFTER = ['retry-after', '5'];

export function answerRequest(around: Surroundings, exchange: Exchange): void {
  const target = match(exchange.request.url ?? '/');
  switch (target.kind) {
    case 'service':
      toService(around, exchange, target);
      break;
    case 'slashless':
      replyRedirect(exchange.response, target.location);
      break;
    case 'health':
      replyHealth(around, exchange.response);
      break;
    case 'model':
      replyModelError(exchange.response, 404, NO_MODEL);
      break;
    case 'unknown':
      replyDetail(exchange.response, 404, 'There is no such address below /proxy/');
      break;
    case 'daemon':
      toDaemon(around, exchange, target.full);
      break;
    default:
      target satisfies never;
  }
}

// Private

type ServiceTarget = Extract<Target, { readonly kind: 'service' }>;

type Admission =
  | { readonly kind: 'admitted'; readonly service: Service }
  | { readonly kind: 'refused'; readonly status: number; readonly detail: string };

const NO_MODEL = {
  message: 'The model does not exist.',
  type: 'invalid_request_error',
  code: 'model_not_found',
};

function toService(around: Surroundings, exchange: Exchange, target: ServiceTarget): void {
  const admission = admit(around.routing, exchange.request, target);
  if (admission.kind === 'refused') refuse(exchange, admission.status, admission.detail);
  else if (admission.service.upstreams.length > 0) {
    forward(servicePassage(around, exchange, target, admission.service.route, around.arrived));
  } else awaitReplica(around, exchange, target, admission.service.route);
}

function admit(
  routing: Routing,
  request: IncomingMessage,
  { project, service: name }: ServiceTarget,
): Admission {
  const service = routing.find(`${project}/${name}`);
  const refused = (status: number, detail: string) => ({ kind: 'refused', status, detail }) as const;
  if (request.method === 'TRACE') return refused(405, 'TRACE is not supported');
  if (service === undefined) return refused(404, `There is no service ${project}/${name}`);
  if (service.route.auth && !routing.isAuthorized(request.headers.authorization, project)) {
    return refused(403, `A token that may call project ${project} is required`);
  }
  return { kind: 'admitted', service };
}

function refuse({ response }: Exchange, status: number, detail: string): void {
  replyDetail(response, status, detail, status === 503 ? RETRY_AFTER : []);
}

/** Holds a request for a service that sleeps until it has woken; the daemon, which wakes it, learns of it by the count. */
function awaitReplica(
  around: Surroundings,
  exchange: Exchange,
  target: ServiceTarget,
  route: ServiceRoute,
): void {
  const service = keyOf(route);
  const refused = (why: string) => refuse(exchange, 503, `${service} has no replica${why}`);
  if (route.wakes === undefined) {
    refused(' that is ready');
    return;
  }
  const group = groupKey(service, route.wakes);
  around.arrived(group);
  const { response } = exchange;
  const goOn = () => forward(servicePassage(around, exchange, target, route, () => {}));
  const giveUp = () => refused(' that was ready in time');
  if (!around.isDaemonUp()) refused(', and the reconciler that would start one is not running');
  else if (!around.room.enter({ service, group, response, goOn, giveUp })) {
    refused(' yet, and too many requests wait for one');
  }
}

function servicePassage(
  around: Surroundings,
  exchange: Exchange,
  target: ServiceTarget,
  route: ServiceRoute,
  arrived: Surroundings['arrived'],
): Passage {
  const { request, response } = exchange;
  const name = keyOf(route);
  const rewrite = route.stripPrefix ? underPrefix(target.prefix, request.headers.host) : unchanged;
  return {
    ...exchange,
    path: route.stripPrefix ? target.rest : target.full,
    headers: requestHeaders(request, {
      prefix: route.stripPrefix ? target.prefix : null,
      dropAuthorization: route.auth,
    }),
    headersBack: (headers) => responseHeaders(headers, rewrite),
    answerMs: around.answerMs,
    next(tried) {
      // Looked up at each try: between two of them the table may have been replaced.
      const service = around.routing.find(name);
      const chosen = pick(service?.upstreams ?? [], tried, performance.now());
      if (service && chosen && tried.length === 0) arrived(groupKey(name, groupOf(service, chosen)));
      return chosen;
    },
    failed: (failure) => {
      const { status, detail } = explained(failure, name);
      replyDetail(response, status, detail);
    },
  };
}

function keyOf({ project, service }: ServiceRoute): string {
  return `${project}/${service}`;
}

/** The group of the replica that was chosen: upstreams are in the order of the route's replicas. */
function groupOf({ route, upstreams }: Service, chosen: Upstream): string {
  return route.replicas[upstreams.indexOf(chosen)]?.group ?? '';
}

function toDaemon(around: Surroundings, { request, response, upgrade }: Exchange, path: string): void {
  const daemon = around.daemon();
  forward({
    request,
    response,
    upgrade,
    path,
    headers: requestHeaders(request, { prefix: null, dropAuthorization: false }),
    headersBack: (headers) => responseHeaders(headers, unchanged),
    answerMs: around.answerMs,
    next: (tried) => (tried.length === 0 ? daemon : null),
    failed: (failure) => {
      if (failure.kind === 'malformed') replyDetail(response, 400, failure.reason);
      else replyDetail(response, 503, 'reconciler is not running', RETRY_AFTER);
    },
  });
}

function replyHealth({ routing, isDaemonUp }: Surroundings, response: ServerResponse): void {
  const { table } = routing;
  replyJson(response, table === null ? 503 : 200, {
    status: table === null ? 'no route table' : 'ok',
    reconciler: isDaemonUp() ? 'up' : 'down',
    generation: table?.generation ?? null,
  });
}

function explained(
  failure: ForwardFailure,
  name: string,
): { readonly status: number; readonly detail: string } {
  switch (failure.kind) {
    case 'unreachable':
      return { status: 502, detail: `No replica of ${name} accepted the connection` };
    case 'timeout':
      return { status: 504, detail: `No replica of ${name} answered in time` };
    case 'broken':
      return {
        status: 502,
        detail: `The replica of ${name} broke off before it answered (${failure.reason})`,
      };
    case 'malformed':
      return { status: 400, detail: failure.reason };
    default:
      return failure satisfies never;
  }
}
