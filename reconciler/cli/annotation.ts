// A problem as an annotation of a GitHub workflow run.
import type { Finding } from '../../schemas/problems.ts';
import { valueEnd } from './excerpt.ts';

/**
 * `path` from the root of the checkout. The form is that of
 * https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions, the escapes those of
 * https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts.
 */
export function annotation(path: string, text: string, problem: Finding): string {
  const { line, column, message, fix, severity } = problem;
  const properties = {
    file: path,
    line,
    endLine: line,
    col: column,
    endColumn: valueEnd(text, problem),
  };
  const spelled = Object.entries(properties).map(([key, value]) => `${key}=${property(String(value))}`);
  return `::${severity} ${spelled.join(',')}::${escaped(fix ? `${message}\n${fix}` : message)}\n`;
}

// Private

function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return escaped(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
