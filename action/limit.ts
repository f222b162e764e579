// How a text is kept inside a limit: long texts in it become short, then whole parts give way, one kind after the other.
// Nothing is ever cut in the middle of a fold, a table row or a letter.

import { elided, visible } from '../reconciler/view/text.ts';
import type { Change, GroupPlan, Hold, Plan } from '../schemas/plan.ts';

/** How many pieces of each part are shown. */
export type Shown<Part extends string> = { readonly [part in Part]: number };

/**
 * The longest text that fits: parts give way in this order, each down to its least, before the next one does. The text
 * with every part at its least is the shortest there is, and is returned even when it does not fit.
 */
export function fitted<Part extends string>(
  textOf: (shown: Shown<Part>) => string,
  all: Shown<Part>,
  order: readonly (readonly [part: Part, least: number])[],
  bytes: number,
): string {
  const fits = (shown: Shown<Part>) => Buffer.byteLength(textOf(shown)) <= bytes;
  let shown = all;
  for (const [part, least] of order) {
    if (fits(shown)) break;
    const count = most((pieces) => fits({ ...shown, [part]: pieces }), least, shown[part]);
    shown = { ...shown, [part]: count };
  }
  return textOf(shown);
}

/** On one line, with nothing hidden in it, and less of its middle when it is long. */
export function short(text: string, letters = SENTENCE): string {
  // Cut before it is read, as a text may be megabytes, and after, as what is hidden is longer to see.
  return elided(visible(elided(text, letters)), letters);
}

/** The plan with short texts; values of fields stay, because what differs in them is looked for later. */
export function shortPlan(plan: Plan): Plan {
  return {
    ...plan,
    ...(plan.id === undefined ? {} : { id: short(plan.id, NAME) }),
    changes: plan.changes.map(shortChange),
    ...(plan.around
      ? {
          around: plan.around.map((each) => ({
            ...each,
            name: short(each.name, NAME),
            text: short(each.text),
          })),
        }
      : {}),
    warnings: plan.warnings.map((warning) => ({
      ...warning,
      service: short(warning.service, NAME),
      message: short(warning.message),
      fix: short(warning.fix),
    })),
    failures: plan.failures.map(({ backend, message }) => ({
      backend: short(backend, NAME),
      message: short(message),
    })),
    problems: plan.problems.map((problem) => ({
      ...problem,
      file: short(problem.file, PATH),
      message: short(problem.message),
      fix: short(problem.fix),
    })),
  };
}

// Private

/** Letters. What a person writes is shorter. */
const SENTENCE = 240;
const PATH = 120;
const NAME = 64;

/** The greatest of `least..greatest` that does; `least` when none does. */
function most(does: (count: number) => boolean, least: number, greatest: number): number {
  let [low, high] = [Math.min(least, greatest), greatest];
  if (!does(low)) return low;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (does(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

function shortChange(change: Change): Change {
  const { service, reason, hold, groups, from } = change;
  return {
    ...change,
    service: short(service, NAME),
    reason: short(reason),
    groups: groups.map(shortGroup),
    ...(from === undefined ? {} : { from: short(from, NAME) }),
    ...(hold ? { hold: shortHold(hold) } : {}),
  };
}

function shortHold(hold: Hold): Hold {
  return { ...hold, detail: short(hold.detail) };
}

function shortGroup(group: GroupPlan): GroupPlan {
  return {
    ...group,
    name: short(group.name, NAME),
    offers: group.offers.map((offer) => ({
      ...offer,
      backend: short(offer.backend, NAME),
      region: short(offer.region, NAME),
      instance: short(offer.instance, NAME),
    })),
    excluded: group.excluded.map(({ requirement, rows, nearest }) => ({
      requirement: short(requirement, NAME),
      rows,
      nearest: short(nearest, PATH),
    })),
  };
}
