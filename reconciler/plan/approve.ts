// Whether an apply does what its plan said: the plan as it was shown against the plan as it would be now.
import type { ApplyAnswer, Refusal } from '../../schemas/api.ts';
import { canonical } from '../../schemas/json.ts';
import { nameAround } from '../../schemas/keys.ts';
import type { Change, FieldChange, Plan, PlanWarning } from '../../schemas/plan.ts';
import { durationText, isSeconds } from '../../schemas/units.ts';

/** How much dearer than its plan an apply may have become, unless it says otherwise. */
export const DEFAULT_TOLERANCE = 0.05;

export interface Quoted {
  readonly plan: Plan;
  /** Epoch ms. */
  readonly expiresAt: number;
}

export interface ApplyCase {
  /** null: it is not known, or no more. */
  readonly quote: Quoted | null;
  /** Of the commit that is to be applied, as it would be now. */
  readonly present: Plan;
  /** A fraction of each price. */
  readonly tolerance: number;
  /** Epoch ms. */
  readonly now: number;
}

export type Judgement =
  | { readonly kind: 'accepted' }
  | {
      readonly kind: 'refused';
      readonly refusal: Refusal;
      readonly detail: string;
      readonly fix: string;
      readonly difference: ApplyAnswer['difference'];
    };

/** The first reason to refuse, in the order in which one would mend them. */
export function judgeApply({ quote, present, tolerance, now }: ApplyCase): Judgement {
  if (quote === null) return refused('unknown-plan', 'there is no such plan', PLAN_ANEW);
  if (quote.expiresAt <= now)
    return refused('expired', `the plan was good until ${quote.plan.expires ?? 'a while ago'}`, PLAN_ANEW);
  return (
    withProblems(present) ??
    stale(quote.plan, present) ??
    overBudget(present) ??
    dearer(quote.plan, present, tolerance) ?? { kind: 'accepted' }
  );
}

// Private

const PLAN_ANEW = 'Plan the commit anew, read the plan, and apply that.';

function refused(
  refusal: Refusal,
  detail: string,
  fix: string,
  difference: ApplyAnswer['difference'] = [],
): Judgement {
  return { kind: 'refused', refusal, detail, fix, difference };
}

function withProblems({ problems }: Plan): Judgement | null {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  if (!first) return null;
  const others = errors.length > 1 ? `, and ${errors.length - 1} more` : '';
  const detail = `${first.file}:${first.line}: ${first.message}${others}`;
  return refused('problems', detail, first.fix || 'Correct it with another commit.');
}

function stale(quoted: Plan, present: Plan): Judgement | null {
  if (quoted.digest === present.digest) return null;
  const difference = differenceOf(quoted, present);
  const services = difference.map(({ service }) => service).filter((service) => service !== '');
  const where = services.length > 0 ? ` with ${services.join(', ')}` : '';
  return refused('stale', `it would do something else${where} than the plan says`, PLAN_ANEW, difference);
}

function overBudget({ warnings, changes }: Plan): Judgement | null {
  const warning = warnings.find(({ kind }) => kind === 'over-budget');
  if (warning) return refused('over-budget', saidOf(warning), warning.fix);
  const held = changes.find(({ hold }) => hold?.reason === 'budget');
  if (!held?.hold) return null;
  // Without an offer there is no price to compare with the budget, and a higher one would not help.
  const unsold = warnings.find(
    ({ kind, service }) => service === held.service && (kind === 'no-offer' || kind === 'over-max-price'),
  );
  if (unsold) return refused('over-budget', `${saidOf(unsold)}, so its price is unknown`, unsold.fix);
  return refused('over-budget', `${held.service}: ${held.hold.detail}`, 'Raise the budget, or ask for less.');
}

function saidOf({ service, message }: PlanWarning): string {
  return service === '' ? message : `${service}: ${message}`;
}

function dearer(quoted: Plan, present: Plan, tolerance: number): Judgement | null {
  const over = (['steady', 'peak'] as const).filter(
    (key) => present.price[key] > quoted.price[key] * (1 + tolerance) + ROUNDING,
  );
  if (over.length === 0) return null;
  const figures = over.map((key) => `${key} ${usd(quoted.price[key])} → ${usd(present.price[key])}`);
  const detail = `it costs more than the plan and ${percent(tolerance)} say: ${figures.join(', ')} per hour`;
  return refused('dearer', detail, `${PLAN_ANEW} Or apply it with a greater tolerance.`);
}

/** Sums of prices in another order differ in their last digits. */
const ROUNDING = 1e-9;

function usd(price: number): string {
  return `$${price.toFixed(price < 0.1 ? 4 : 2)}`;
}

function percent(fraction: number): string {
  return `${Number((fraction * 100).toFixed(2))} %`;
}

/** Service by service, in words. What a plan does not show (the policy, contents and secrets of what is new) has no service. */
function differenceOf(quoted: Plan, present: Plan): ApplyAnswer['difference'] {
  const was = byService(quoted);
  const is = byService(present);
  const differing = [...new Set([...was.keys(), ...is.keys()])]
    .sort()
    .filter((service) => madeOf(was.get(service)) !== madeOf(is.get(service)));
  const services = differing.map((service) => {
    const before = wordsOf(was.get(service));
    const after = wordsOf(is.get(service));
    return { service, was: before, is: before === after ? `${after}, of another configuration` : after };
  });
  const all = [...services, ...aroundDifference(quoted, present)];
  return all.length > 0 ? all : [UNSHOWN];
}

/** Fleets and volumes, by the names of their keys. */
function aroundDifference(quoted: Plan, present: Plan): ApplyAnswer['difference'] {
  const wordsIn = ({ around = [] }: Plan) =>
    new Map(around.map(({ kind, name, change, text }) => [nameAround(kind, name), `${change}: ${text}`]));
  const [was, is] = [wordsIn(quoted), wordsIn(present)];
  return [...new Set([...was.keys(), ...is.keys()])]
    .sort()
    .map((service) => ({
      service,
      was: was.get(service) ?? 'not there',
      is: is.get(service) ?? 'not there',
    }))
    .filter((each) => each.was !== each.is);
}

const UNSHOWN = {
  service: '',
  was: 'the policy, contents and secrets of then',
  is: 'others, though each change looks the same',
};

function byService({ changes }: Plan): Map<string, Change> {
  return new Map(changes.map((change) => [change.service, change]));
}

function madeOf(change: Change | undefined): string {
  if (!change) return '';
  const { change: what, from = null, how, patch, fields } = change;
  return canonical({ what, from, how, patch, fields });
}

function wordsOf(change: Change | undefined): string {
  if (!change) return 'not there';
  const how = change.how.length > 0 ? ` (${change.how.join(', ')})` : '';
  const from = change.from === undefined ? '' : ` from ${change.from}`;
  const fields = change.change === 'create' ? [] : change.fields;
  const more = fields.length > FIELDS_SHOWN ? [`${fields.length - FIELDS_SHOWN} more`] : [];
  const values = [...fields.slice(0, FIELDS_SHOWN).map(fieldWords), ...more].join(', ');
  return `${change.change}${from}${how}${values && `: ${values}`}`;
}

const FIELDS_SHOWN = 5;

function fieldWords({ path, from, to }: FieldChange): string {
  return `${path} ${valueText(path, from)} → ${valueText(path, to)}`;
}

function valueText(path: string, value: FieldChange['from']): string {
  return typeof value === 'number' && isSeconds(path) ? durationText(value) : JSON.stringify(value);
}
