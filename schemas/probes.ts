// Probes: how it is asked whether a replica is ready.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration language look like that
import { z } from 'zod';
import { type Field, object, withRules, wrong } from './fields.ts';
import { shown } from './problems.ts';
import { about, named } from './spelling.ts';
import { bool, choice, duration, integer, sized, textWhere } from './values.ts';

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

const header = named(
  'header',
  'A header of a request.',
  object({
    name: about(sized(1, 256), 'Its name.', 'Authorization'),
    value: about(sized(1, 2048), 'Its value.', 'Bearer ${{ env.TOKEN }}'),
  }),
);

const probeShape = named(
  'probe',
  'A question that a replica has to answer before it is ready. All of them have to be answered.',
  object({
    type: about(choice(['http']), 'The kind of question.', 'http'),
    url: about(
      textWhere(
        (value) => {
          if (!value.startsWith('/'))
            return wrong(
              `${shown(value)} does not begin with \`/\``,
              'Write only the path, for example `/health`.',
            );
          if (value.length > 2048) return wrong('the url is longer than 2048 characters', 'Make it shorter.');
          if (/[^\P{C}]|[^\P{Z} ]/u.test(value))
            return wrong('the url has characters that cannot be printed', 'Encode them with `%`.');
          return value;
        },
        { title: 'path', type: 'string', maxLength: 2048, pattern: '^/' },
      ).nullish(),
      'Path and query. May hold `${{ env.X }}` and `${{ secrets.X }}`, like `body` and the values of `headers`.',
      '/health',
      '/',
    ),
    method: about(choice(METHODS).nullish(), 'The method of the request.', 'post', 'get'),
    headers: about(z.array(header).default([]), 'At most 16 headers.', [
      { name: 'Authorization', value: 'Bearer ${{ env.TOKEN }}' },
    ]),
    body: about(
      sized(1, 2048).nullish(),
      'The body of the request; not with `get` or `head`.',
      '{"ping": true}',
    ),
    timeout: about(duration.nullish(), 'How long an answer may take: 1 second to 5 minutes.', '5s', '10s'),
    interval: about(
      duration.nullish(),
      'From the end of one try to the beginning of the next: 1 second or more.',
      '5s',
      '15s',
    ),
    ready_after: about(integer(1).nullish(), 'How many answers in a row make a replica ready.', 3, 1),
    until_ready: about(bool.nullish(), 'Whether it stops asking once the replica is ready.', true, false),
  }),
);

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
