// `type: preset`: what dstack's search for a way to serve a model begins with. Read and checked; not reconciled.
import { z } from 'zod';
import {
  choose,
  describe,
  type Field,
  field,
  isWrong,
  object,
  type Say,
  withRules,
  wrong,
} from './fields.ts';
import { env } from './grammar/env.ts';
import { profileShape, type Reference, reference } from './profiles.ts';
import { about, named } from './spelling.ts';
import { bool, choice, integer, readBool, readText, TEXT, text, textWhere } from './values.ts';
import { isMapping } from './yaml-value.ts';

const LONGEST_PROMPT = 10_000;
const USUAL_TOKENS = 1024;

const filledText: Field<string> = textWhere(
  (value) => (value.trim() === '' ? wrong('this is empty', 'Write its name.') : value),
  { ...TEXT, minLength: 1 },
);

type Model = { readonly repo: string; readonly name?: string | null | undefined } | { readonly base: string };

const exactModel = named(
  'preset_model',
  'A model.',
  object({
    repo: about(filledText, 'Its repository or path.', 'Qwen/Qwen3-8B'),
    name: about(filledText.nullish(), 'The name that clients ask for; the repository if not given.', 'qwen'),
  }),
);
const baseModel = named(
  'preset_base_model',
  'A model, of which compatible variants will do.',
  object({ base: about(filledText, 'Its repository.', 'Qwen/Qwen3-8B') }),
);

const model: Field<Model> = choose<Model>(
  (value): Field<Model> => {
    if (typeof value === 'string') return filledText.transform((repo) => ({ repo }));
    return isMapping(value) && 'base' in value ? baseModel : exactModel;
  },
  [filledText, exactModel, baseModel],
);

const gateway: Field<boolean | string | Reference> = choose(
  (value): Field<boolean | string | Reference> => {
    if (!isWrong(readBool(value))) return bool;
    return isMapping(value) ? reference : text;
  },
  [bool, reference],
);

const promptText: Field<string> = textWhere(
  (value) => {
    if (value.trim() === '') return wrong('the prompt is empty', 'Write it, or remove the line.');
    if ([...value].length <= LONGEST_PROMPT) return value;
    return wrong(
      `the prompt is longer than ${LONGEST_PROMPT} characters`,
      'Put it into a file: `{path: …}`.',
    );
  },
  { ...TEXT, minLength: 1, maxLength: LONGEST_PROMPT },
);
const promptFile = named(
  'preset_prompt',
  'A prompt in a file.',
  object({ path: about(filledText, 'Where it is, from the folder of this file.', 'prompt.md') }),
);

const dataset: Field<string> = field((value) => {
  const read = readText(value);
  if (isWrong(read)) return read;
  const name = read.trim();
  if (name === '') return wrong('this is empty', 'Write its name, or remove the line.');
  if (name === 'random') return wrong(`${describe(value)} is no data set`, 'Remove the line.');
  return name;
}, TEXT);

const shape = named(
  'preset',
  'A search for a way to serve a model, an experiment of dstack. Read and checked; not reconciled.',
  object({
    ...profileShape,
    type: about(choice(['preset']), 'Makes it a preset.', 'preset'),
    name: about(text.nullish(), 'The name.', 'qwen'),
    model: about(model.nullish(), 'The model: this, `repo` or `base`.', 'Qwen/Qwen3-8B'),
    repo: about(text.nullish(), 'Short for `model: {repo: …}`.', 'Qwen/Qwen3-8B'),
    base: about(text.nullish(), 'Short for `model: {base: …}`.', 'Qwen/Qwen3-8B'),
    prompt: about(
      choose<string | { path: string }>(
        (value): Field<string | { path: string }> => (isMapping(value) ? promptFile : promptText),
        [promptText, promptFile],
      ).nullish(),
      'What the agent is told beside.',
      'Prefer low latency.',
    ),
    min_context_length: about(integer(1).nullish(), 'The least length of a context.', 8192),
    max_ttft: about(integer(1).nullish(), 'The longest time to the first token, in milliseconds.', 500),
    trials: about(integer(1).nullish(), 'How many ways are tried.', 4),
    previous: about(z.array(text).nullish(), 'Presets to begin with, by their ids.', ['4f1c2d3']),
    concurrency: about(integer(1).nullish(), 'How many requests are made at once.', 8),
    input_tokens: about(integer(1).nullish(), 'The length of a request.', 2048, USUAL_TOKENS),
    output_tokens: about(integer(2).nullish(), 'The length of an answer.', 256, USUAL_TOKENS),
    shared_prefix_tokens: about(
      integer(0).nullish(),
      'How much of the request is the same in all of them.',
      512,
      0,
    ),
    dataset: about(dataset.nullish(), 'What requests are made of, in place of lengths.', 'sharegpt'),
    baseline: about(bool.nullish(), 'Whether what is usual is tried first.', false, true),
    gateway: about(gateway.nullish(), 'As in a service.', 'edge'),
    env: about(env.default({}), 'Environment variables, as in a service.', ['HF_TOKEN']),
  }),
);

type Written = z.output<typeof shape>;

export const preset: Field<object> = withRules(shape as Field<Written>, (value, say) => {
  modelRules(value, say);
  datasetRules(value, say);
  const input = value.input_tokens ?? USUAL_TOKENS;
  if ((value.shared_prefix_tokens ?? 0) >= input) {
    const message = `what is shared is not less than the ${input} tokens of a request`;
    say(['shared_prefix_tokens'], message, 'Write less, or more `input_tokens`.');
  }
}).transform((value) => (value === undefined ? value : withModel(value)));

// Private

function modelRules({ model: given, repo, base }: Partial<Written>, say: Say): void {
  if (repo && base) say(['base'], '`base` and `repo` exclude each other', 'Remove one of the two.');
  for (const [key, short] of Object.entries({ repo, base })) {
    if (short && given) say([key], `\`${key}\` and \`model\` exclude each other`, 'Remove one of the two.');
    if (short?.trim() === '' && !given) say([key], 'this is empty', 'Write its name.');
  }
  if (!given && !repo && !base) say([], 'a preset needs a `model`', 'Add `model`, `repo` or `base`.');
}

const LENGTHS = ['input_tokens', 'output_tokens', 'shared_prefix_tokens'] as const;

function datasetRules(value: Partial<Written>, say: Say): void {
  if (value.dataset == null) return;
  for (const key of LENGTHS) {
    if (value[key] != null)
      say([key], `\`${key}\` and \`dataset\` exclude each other`, 'A data set has requests of its own.');
  }
}

/** The model under its one name. */
function withModel({ repo, base, ...rest }: Written): object {
  const short = base ? { base } : repo ? { repo } : null;
  return short === null ? rest : { ...rest, model: short };
}
