// The status line of a comment, and what belongs to it: what differs from the plan, what a failed candidate printed.
import { escaped, prose, table } from '../reconciler/view/markdown.ts';
import { preformatted, printed } from './escape.ts';
import { lifeWords } from './life.ts';
import { short } from './limit.ts';
import { fold } from './service-fold.ts';
import type { CommentView, Difference } from './view.ts';

/** At most so many of its differences and of the lines of its log. */
export function lifeTexts(
  { life, environment, showLogs }: Pick<CommentView, 'life' | 'environment' | 'showLogs'>,
  { differences, log }: { readonly differences: number; readonly log: number },
): string[] {
  const { mark, state, sentence, then } = lifeWords(life, environment);
  const words = [sentence, then].filter(Boolean).map((text) => prose(short(text)));
  const line = `${mark} **${state}**: ${words.join('<br>')}`;
  if (life.kind === 'refused' && life.difference.length > 0)
    return [line, differenceTable(life.difference, differences)];
  if (life.kind === 'failed' && life.log.length > 0) return [line, ...logTexts(life.log, showLogs, log)];
  return [line];
}

// Private

/** Letters. */
const LOG_LINE = 160;
const LOG_HIDDEN =
  'What it printed last is not shown to the public: `trueup logs` has it, and `logs: true` shows it here.';

function differenceTable(differences: readonly Difference[], most: number): string {
  const rows = differences
    .slice(0, most)
    .map(({ service, was, is }) => [escaped(short(service, 64)), escaped(short(was)), escaped(short(is))]);
  const left = differences.length - rows.length;
  const more = left > 0 ? [[`*… and ${left} more*`, '', '']] : [];
  return table(['service', 'the plan said', 'now it is'], [...rows, ...more]);
}

function logTexts(log: readonly string[], isShown: boolean, most: number): string[] {
  if (!isShown) return [LOG_HIDDEN];
  const lines = log.slice(Math.max(0, log.length - most)).map((line) => short(printed(line), LOG_LINE));
  return lines.length > 0 ? [fold('The last lines it printed', [preformatted(lines)], true)] : [];
}
