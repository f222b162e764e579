// `trueup serve`: makes the configuration, then becomes the daemon.
import type { Problem } from '../../schemas/errors.ts';
import { resolveConfig, type ServeOptions } from '../config.ts';
import { CommandFailure } from './failure.ts';
import type { Session } from './session.ts';

export async function startServer(session: Session, options: ServeOptions): Promise<number> {
  const result = resolveConfig(options, session.env, session.cwd);
  if (result.kind === 'config') {
    const { serve } = await import('../serve.ts');
    await serve(result.config);
    return Number(process.exitCode ?? 0);
  }
  const failures = result.problems.map(failureOf);
  for (const { message, fix } of failures.slice(0, -1)) session.note(`error: ${message}\n${fix}`);
  throw failures.at(-1);
}

// Private

function failureOf({ file, line, column, message, fix }: Problem): CommandFailure {
  return new CommandFailure(file && line ? `${file}:${line}:${column} ${message}` : message, fix);
}
