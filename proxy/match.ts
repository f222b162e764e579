// What a request line asks for. Works on the raw URL: nothing is decoded, so nothing can be encoded differently after.

export type Target =
  | {
      readonly kind: 'service';
      readonly project: string;
      readonly service: string;
      /** `/proxy/services/<project>/<service>`, without a slash at the end. */
      readonly prefix: string;
      /** What follows the prefix, query included; begins with '/'. */
      readonly rest: string;
      /** The whole path and query. */
      readonly full: string;
    }
  /** A service's root without its slash: relative links would resolve one level too high. */
  | { readonly kind: 'slashless'; readonly location: string }
  | { readonly kind: 'model' }
  | { readonly kind: 'health' }
  /** Below `/proxy/`, yet nothing we serve. */
  | { readonly kind: 'unknown' }
  /** Everything else is the daemon's. */
  | { readonly kind: 'daemon'; readonly full: string };

const SERVICES = '/proxy/services/';
const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i;

export function match(url: string): Target {
  const full = url.startsWith('/') ? url : originForm(url);
  if (full.startsWith(SERVICES)) return matchService(full);
  const path = pathOf(full);
  if (path === '/healthz') return { kind: 'health' };
  if (isBelow(path, '/v1') || isBelow(path, '/proxy/models')) return { kind: 'model' };
  if (isBelow(path, '/proxy')) return { kind: 'unknown' };
  return { kind: 'daemon', full };
}

// Private

function matchService(full: string): Target {
  const path = pathOf(full);
  const projectEnd = path.indexOf('/', SERVICES.length);
  if (projectEnd < 0) return { kind: 'unknown' };
  const serviceEnd = path.indexOf('/', projectEnd + 1);
  const prefix = serviceEnd < 0 ? path : path.slice(0, serviceEnd);
  const project = path.slice(SERVICES.length, projectEnd);
  const service = prefix.slice(projectEnd + 1);
  if (project === '' || service === '') return { kind: 'unknown' };
  const rest = full.slice(prefix.length);
  if (serviceEnd < 0) return { kind: 'slashless', location: `${prefix}/${rest}` };
  return { kind: 'service', project, service, prefix, rest, full };
}

function originForm(url: string): string {
  const rest = url.replace(ABSOLUTE_FORM, '');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function pathOf(full: string): string {
  const query = full.indexOf('?');
  return query < 0 ? full : full.slice(0, query);
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder) && (path.length === folder.length || path[folder.length] === '/');
}
