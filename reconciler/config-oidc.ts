// The rules of login by an issuer's token, as the server's file writes them; a rule that would let in more than it
// seems to is a problem.
import type { Source } from './config.ts';
import type { OidcSettings } from './config-file.ts';
import { isOfPullRequest, type OidcRule } from './oidc-rules.ts';

export function oidcRulesOf(source: Source): OidcRule[] {
  return (source.settings.oidc ?? []).map((settings, index) => {
    check(source, settings, ['oidc', index]);
    const {
      job_workflow_ref: jobWorkflowRef = null,
      ref = null,
      event = null,
      environment = null,
    } = settings;
    const { issuer, audience, repository, scopes, projects } = settings;
    return { issuer, audience, repository, ref, event, environment, jobWorkflowRef, scopes, projects };
  });
}

// Private

function check({ problem }: Source, settings: OidcSettings, at: readonly PropertyKey[]): void {
  const { issuer, scopes, ref, event, environment, job_workflow_ref: workflow } = settings;
  const { protocol, hostname } = new URL(issuer);
  if (protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname))
    problem(
      [...at, 'issuer'],
      'the issuer is asked in clear, where anybody could answer',
      'Write an https URL.',
    );
  if (!scopes.includes('apply')) return;
  if (event?.some(isOfPullRequest)) {
    const message = 'a pull request may not apply: whoever opens it writes its workflow';
    problem(
      [...at, 'event'],
      message,
      'Give `apply` in a rule of its own, for `push` to the watched branch.',
    );
  }
  if (!ref && !environment && !workflow) {
    const message = 'every branch of the repository could apply';
    problem([...at, 'scopes'], message, 'Add `ref: refs/heads/BRANCH`, or the `environment` that guards it.');
  }
}
