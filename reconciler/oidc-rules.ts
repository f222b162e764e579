// Whether the claims of a proven token fit a rule of the server's configuration, and if not, what they lack.
// Decides by its arguments alone.
import { z } from 'zod';

export interface OidcRule {
  readonly issuer: string;
  readonly audience: string;
  /** OWNER/NAME, in any case. */
  readonly repository: string;
  /** Patterns, of which one must fit; null: any ref will do. The same for the others. */
  readonly ref: readonly string[] | null;
  /** null: any but those of pull requests, whose workflows their authors may have written. */
  readonly event: readonly string[] | null;
  readonly environment: readonly string[] | null;
  readonly jobWorkflowRef: readonly string[] | null;
  readonly scopes: readonly ('read' | 'plan' | 'apply')[];
  /** '*': all of them. */
  readonly projects: readonly string[];
}

/** What GitHub Actions says of a job: https://docs.github.com/actions/reference/security/oidc. */
export const claimsSchema = z.object({
  aud: z.union([z.string(), z.array(z.string())]),
  repository: z.string(),
  ref: z.string(),
  event_name: z.string(),
  environment: z.string().optional(),
  job_workflow_ref: z.string().optional(),
  run_id: z.string().optional(),
});
export type Claims = z.infer<typeof claimsSchema>;

export interface Mismatch {
  readonly claim: string;
  readonly expected: string;
  readonly got: string;
}

export type RuleMatch =
  | { readonly kind: 'found'; readonly rule: OidcRule }
  /** What the rule that comes nearest misses. */
  | { readonly kind: 'refused'; readonly mismatches: readonly Mismatch[] };

/** The first rule that fits; rights of several are never added up. */
export function findRule(claims: Claims, rules: readonly OidcRule[]): RuleMatch {
  const judged = rules.map((rule) => ({ rule, mismatches: mismatchesOf(claims, rule) }));
  const fitting = judged.find(({ mismatches }) => mismatches.length === 0);
  if (fitting) return { kind: 'found', rule: fitting.rule };
  const [nearest] = judged.toSorted((a, b) => a.mismatches.length - b.mismatches.length);
  return { kind: 'refused', mismatches: nearest?.mismatches ?? [] };
}

/** Of a workflow's run, `pull_request`, `pull_request_target`, `pull_request_review` … */
export function isOfPullRequest(event: string): boolean {
  return event.startsWith('pull_request');
}

// Private

function mismatchesOf(claims: Claims, rule: OidcRule): Mismatch[] {
  const found = [
    same('aud', rule.audience, claims.aud, (text) => text),
    same('repository', rule.repository, claims.repository, (text) => text.toLowerCase()),
    oneOf('ref', rule.ref, claims.ref),
    eventOf(rule, claims),
    oneOf('environment', rule.environment, claims.environment),
    oneOf('job_workflow_ref', rule.jobWorkflowRef, claims.job_workflow_ref),
  ];
  return found.filter((mismatch) => mismatch !== null);
}

function same(
  claim: string,
  expected: string,
  got: string | readonly string[],
  form: (text: string) => string,
): Mismatch | null {
  const [only = '', ...others] = typeof got === 'string' ? [got] : got;
  const isSame = others.length === 0 && form(only) === form(expected);
  return isSame ? null : { claim, expected, got: [only, ...others].join(', ') };
}

function oneOf(claim: string, patterns: readonly string[] | null, got: string | undefined): Mismatch | null {
  if (patterns === null) return null;
  const isMet = got !== undefined && patterns.some((pattern) => matches(pattern, got));
  return isMet ? null : { claim, expected: patterns.join(' or '), got: got ?? 'none' };
}

function eventOf({ event }: OidcRule, { event_name: got }: Claims): Mismatch | null {
  if (event !== null || !isOfPullRequest(got)) return oneOf('event_name', event, got);
  return { claim: 'event_name', expected: 'none of a pull request, as the rule names no event', got };
}

/** `*` stands for anything but a slash, `**` for anything. */
function matches(pattern: string, text: string): boolean {
  const parts = pattern.split(/(\*\*|\*)/).map((part) => {
    if (part === '**') return '.*';
    return part === '*' ? '[^/]*' : RegExp.escape(part);
  });
  return new RegExp(`^${parts.join('')}$`, 's').test(text);
}
