// What requests have in common: the project they name, the size of their body, the form of their parameters.
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import { answer, unknown } from './errors.ts';
import { type Env, mayRead } from './guard.ts';

export type ApiContext = Context<Env>;

/** The project a request names; a response when there is none it may see. */
export function projectOf(c: ApiContext, projects: readonly string[]): string | Response {
  const project = c.req.query('project') ?? 'main';
  if (!mayRead(c, project))
    return answer(c, 403, `the token \`${c.var.token.name}\` may not see \`${project}\``);
  return projects.includes(project) ? project : unknown(c, 'project', project, visible(c, projects));
}

export function visible(c: ApiContext, projects: readonly string[]): string[] {
  return projects.filter((project) => mayRead(c, project));
}

/** Refuses a body that is larger, before it is read. */
export function limited(maxSize: number) {
  return bodyLimit({
    maxSize,
    onError: (c) => answer(c, 413, `the body is larger than ${maxSize} bytes`, 'Send less.'),
  });
}

/** The body, if it is JSON of this form; null otherwise. */
export async function bodyOf<Schema extends z.ZodType>(
  c: ApiContext,
  schema: Schema,
): Promise<z.output<Schema> | null> {
  const read = schema.safeParse(await c.req.json().catch(() => undefined));
  return read.success ? read.data : null;
}

/** A parameter that is on when it is given, or says so. */
export const flag = z
  .enum(['', '0', '1', 'true', 'false'])
  .transform((text) => text !== '0' && text !== 'false');

export const count = (max: number) => z.coerce.number().int().min(0).max(max);
