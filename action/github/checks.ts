// The check run of a plan: its verdict on the commit, and every problem at its line.
import { visible } from '../../reconciler/view/text.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { GitHub, Repo } from './client.ts';

export interface CheckWish {
  readonly name: string;
  readonly commit: string;
  readonly isGood: boolean;
  readonly title: string;
  /** Markdown. */
  readonly summary: string;
  readonly problems: Plan['problems'];
  readonly url: string;
}

export async function postCheck(github: GitHub, repo: Repo, wish: CheckWish): Promise<void> {
  const worstFirst = wish.problems.toSorted((a, b) => a.severity.localeCompare(b.severity));
  const [first = [], ...more] = batches(worstFirst.slice(0, MOST).map(annotationOf));
  const { title, summary } = wish;
  const { data } = await github.rest.checks.create({
    ...repo,
    name: wish.name,
    head_sha: wish.commit,
    status: 'completed',
    conclusion: wish.isGood ? 'success' : 'failure',
    details_url: wish.url,
    output: { title, summary, annotations: first },
  });
  for (const annotations of more) {
    const output = { title, summary, annotations };
    await github.rest.checks.update({ ...repo, check_run_id: data.id, output });
  }
}

// Private

/** GitHub takes no more with one request. */
const AT_ONCE = 50;
/** More are no help, and each fifty of them cost a request. */
const MOST = 500;

function batches<T>(items: readonly T[]): T[][] {
  const count = Math.ceil(items.length / AT_ONCE);
  return Array.from({ length: count }, (_, index) => items.slice(index * AT_ONCE, (index + 1) * AT_ONCE));
}

function annotationOf({ file, line, message, fix, severity }: Plan['problems'][number]) {
  return {
    path: file,
    start_line: line,
    end_line: line,
    annotation_level: severity === 'error' ? ('failure' as const) : ('warning' as const),
    title: 'trueup',
    message: [message, fix].filter(Boolean).map(visible).join('\n'),
  };
}
