// Plans: made for who asks, kept under an id for who may, and read again under it.
import { randomBytes } from 'node:crypto';
import { type KeptPlans, planRequestSchema } from '../../schemas/api.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Planner } from '../planner.ts';
import type { Store } from '../store/store.ts';
import { mayUse, type TokenEntry } from '../tokens.ts';
import { answer } from './errors.ts';
import { lacks } from './guard.ts';
import { type ApiContext, bodyOf, flag, projectOf } from './request.ts';

export interface PlanDeps {
  readonly store: Pick<Store, 'now' | 'saveQuote' | 'quote' | 'quotesOf'>;
  readonly projects: readonly string[];
  readonly plan: Planner;
}

/** How long a plan may be applied. */
export const KEPT_MS = 7 * 86_400_000;

/** Of the newest commit. */
export async function planCommit(c: ApiContext, deps: PlanDeps): Promise<Response> {
  const keep = flag.default(false).safeParse(c.req.query('keep'));
  if (!keep.success) return answer(c, 400, 'the parameter `keep` is not valid', 'Write `keep=1`.');
  return planned(c, deps, { keep: keep.data }, (project) => deps.plan(project, null));
}

/** Of the files in the body. */
export async function planFiles(c: ApiContext, deps: PlanDeps): Promise<Response> {
  const body = await bodyOf(c, planRequestSchema);
  if (body) {
    const { files, objects } = body;
    return planned(c, deps, body, (project) => deps.plan(project, files, objects));
  }
  return answer(
    c,
    400,
    'the body is not a list of files',
    'Send {"files": [{"path": "web.dstack.yml", "text": "…"}]}.',
  );
}

export async function keptPlan(c: ApiContext, deps: PlanDeps): Promise<Response> {
  const project = projectOf(c, deps.projects);
  if (typeof project !== 'string') return project;
  const id = c.req.param('id') ?? '';
  const quote = await deps.store.quote(project, id);
  if (quote) return c.json(quote.document as Plan);
  return answer(c, 404, `\`${project}\` has no plan \`${id}\``, 'Plans are kept for 7 days: make another.');
}

/** What was kept under a label, without the plans themselves. */
export async function keptPlans(c: ApiContext, deps: PlanDeps): Promise<Response> {
  const project = projectOf(c, deps.projects);
  if (typeof project !== 'string') return project;
  const label = c.req.query('label') ?? '';
  if (label === '') return answer(c, 400, 'the parameter `label` is missing', 'Write `?label=…`.');
  const quotes = await deps.store.quotesOf(project, label, LISTED);
  const plans = quotes.map(({ id, digest, at, expiresAt }) => ({
    id,
    label,
    digest,
    kept: spell(at),
    expires: spell(expiresAt),
  }));
  return c.json({ plans } satisfies KeptPlans);
}

// Private

function mayLabel({ labels }: TokenEntry, label: string | undefined): boolean {
  if (labels === undefined || label === undefined) return true;
  return `${label}@`.toLowerCase().startsWith(labels.toLowerCase());
}

function foreignLabel(c: ApiContext, label: string): Response {
  const { name, labels = '' } = c.var.token;
  const detail = `the token \`${name}\` may not keep a plan under \`${label}\``;
  return answer(
    c,
    403,
    detail,
    `Its labels begin with \`${labels}\`; leave \`label\` out, or use another token.`,
  );
}

/** Of one label; the newest is what is asked for. */
const LISTED = 20;

interface Keeping {
  readonly keep?: boolean | undefined;
  readonly label?: string | undefined;
}

async function planned(
  c: ApiContext,
  deps: PlanDeps,
  { keep = false, label }: Keeping,
  make: (project: string) => Promise<Plan>,
): Promise<Response> {
  const project = projectOf(c, deps.projects);
  if (typeof project !== 'string') return project;
  if (keep && !mayUse(c.var.token, 'plan', project)) return lacks(c, c.var.token, 'plan');
  if (keep && !mayLabel(c.var.token, label)) return foreignLabel(c, label ?? '');
  const plan = await make(project);
  return c.json(keep ? await kept(deps.store, project, plan, label) : plan);
}

async function kept(
  store: PlanDeps['store'],
  project: string,
  plan: Plan,
  label: string | undefined,
): Promise<Plan> {
  const at = await store.now();
  const expiresAt = at + KEPT_MS;
  const document = { ...plan, id: makeId(), expires: spell(expiresAt) };
  const { id, digest, commit } = document;
  const quote = { id, project, digest, commit, at, expiresAt, document };
  await store.saveQuote(label === undefined ? quote : { ...quote, label });
  return document;
}

function spell(ms: number): string {
  return new Date(ms).toISOString();
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** 80 random bits in 16 characters that survive URLs, shells and being read aloud. */
function makeId(): string {
  return Array.from(randomBytes(16), (byte) => ALPHABET[byte % 32]).join('');
}
