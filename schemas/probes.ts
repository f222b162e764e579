// Probes: how it is asked whether a replica is ready.
import { z } from 'zod';
import {
  bool,
  choice,
  duration,
  type Field,
  integer,
  object,
  sized,
  textWhere,
  withRules,
  wrong,
} from './fields.ts';
import { shown } from './problems.ts';

export const METHODS = ['get', 'post', 'put', 'delete', 'patch', 'head'] as const;

export const PROBE_DEFAULTS = {
  url: '/',
  method: 'get',
  timeout: 10,
  interval: 15,
  ready_after: 1,
  until_ready: false,
} as const;

const MAX_TIMEOUT = 300;

const probeShape = object({
  type: choice(['http']),
  url: textWhere((value) => {
    if (!value.startsWith('/'))
      return wrong(
        `${shown(value)} does not begin with \`/\``,
        'Write only the path, for example `/health`.',
      );
    if (value.length > 2048) return wrong('the url is longer than 2048 characters', 'Make it shorter.');
    if (/[^\P{C}]|[^\P{Z} ]/u.test(value))
      return wrong('the url has characters that cannot be printed', 'Encode them with `%`.');
    return value;
  }).nullish(),
  method: choice(METHODS).nullish(),
  headers: z.array(object({ name: sized(1, 256), value: sized(1, 2048) })).default([]),
  body: sized(1, 2048).nullish(),
  timeout: duration.nullish(),
  interval: duration.nullish(),
  ready_after: integer(1, Number.MAX_SAFE_INTEGER).nullish(),
  until_ready: bool.nullish(),
});

export type Probe = z.output<typeof probeShape>;

export const probe: Field<Probe> = withRules(probeShape as Field<Probe>, (value, say) => {
  if (value.body && (value.method === 'get' || value.method === 'head')) {
    say(['body'], `a \`${value.method}\` request has no body`, 'Remove the body, or use `post`.');
  }
  if ((value.headers?.length ?? 0) > 16) say(['headers'], 'there are more than 16 headers', 'Remove some.');
  if (typeof value.timeout === 'number') seconds('timeout', value.timeout, MAX_TIMEOUT);
  if (typeof value.interval === 'number') seconds('interval', value.interval, Number.POSITIVE_INFINITY);

  function seconds(key: string, given: number, max: number): void {
    if (given < 1) say([key], `the ${key} is below 1s`, 'Write `1s` or more.');
    if (given > max) say([key], `the ${key} is above ${max}s`, `Write \`${max}s\` or less.`);
  }
});

/** What is asked of a model server whose file says nothing of probes. */
export function implicitProbe(model: { readonly name: string; readonly prefix: string }): Probe {
  const body = { model: model.name, messages: [{ role: 'user', content: 'hi' }], max_tokens: 1 };
  return {
    type: 'http',
    url: `${model.prefix.replace(/\/+$/, '')}/chat/completions`,
    method: 'post',
    headers: [{ name: 'Content-Type', value: 'application/json' }],
    body: JSON.stringify(body),
    timeout: 30,
  };
}
