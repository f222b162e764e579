// Where a project's commits get their statuses: which repository at which GitHub, by which credential.
import type { GitHubConfig, Repository, Source } from './config.ts';
import type { GitHubSettings } from './config-file.ts';

/** `token`: what `settings` refers to; null where there is nothing, which was complained about. */
export function githubOf(
  source: Source,
  settings: GitHubSettings | undefined,
  project: { readonly name: string; readonly repo: Repository; readonly token: string | null },
  at: readonly string[],
): GitHubConfig | null {
  if (!settings) return null;
  const api = apiOf(source, settings.api, [...at, 'api']);
  const repository = settings.repository ?? repositoryIn(project.repo, api);
  if (repository === null) {
    const message = `the repository at GitHub cannot be told from the one that ${project.name} watches`;
    source.problem(at, message, 'Add `repository: OWNER/NAME`.');
  }
  const token = sendable(source, project.token, [...at, 'token']);
  if (repository === null || token === null) return null;
  const [owner = '', name = ''] = repository.split('/');
  const environment = settings.environment ?? project.name;
  return { owner, name, token, tokenFrom: settings.token, api, environment };
}

// Private

/** The token goes there: beyond this machine, only over TLS. */
function apiOf(source: Source, text: string, at: readonly string[]): string {
  const url = new URL(text);
  if (url.protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname))
    source.problem(at, 'the token would travel in clear', 'Write an https URL.');
  if (url.username || url.password || url.search)
    source.problem(at, 'the URL holds more than an address', 'Write https://HOST/api/v3.');
  return text.replace(/\/+$/, '');
}

/** A token is sent in a header: what cannot be in one is not repeated in any message. */
function sendable(source: Source, token: string | null, at: readonly string[]): string | null {
  if (token === null || /^[\x21-\x7e]+$/.test(token)) return token;
  source.problem(at, 'the token holds spaces or line breaks', 'Take them out of it.');
  return null;
}

/** Of `https://HOST/OWNER/NAME.git`, `ssh://git@HOST/OWNER/NAME` or `git@HOST:OWNER/NAME`, where HOST is this GitHub's. */
function repositoryIn(repo: Repository, api: string): string | null {
  if (repo.kind === 'local') return null;
  const url = URL.parse(repo.url) ?? URL.parse(`ssh://${repo.url.replace(':', '/')}`);
  // https://api.github.com, https://api.TENANT.ghe.com, https://HOST/api/v3
  const host = new URL(api).hostname.replace(/^api\./, '');
  const [, found] = /^\/([\w.-]+\/[\w.-]+?)(?:\.git)?\/?$/.exec(url?.pathname ?? '') ?? [];
  return url?.hostname.toLowerCase() === host ? (found ?? null) : null;
}
