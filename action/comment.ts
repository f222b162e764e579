// The comment on a pull request: the plan as a reviewer decides on it, and how far it has come. Pure: a view in, text out.
// Its first line is hidden and names it; what comes from a repository can neither end it nor be taken for it.
import { z } from 'zod';
import {
  aboutText,
  escaped,
  failureText,
  problemText,
  prose,
  warningText,
} from '../reconciler/view/markdown.ts';
import { placesReplicas } from '../reconciler/view/offer-words.ts';
import {
  countsOf,
  shownAround,
  shownChanges,
  sourceWords,
  titleOf,
  unchangedOf,
  verdictOf,
} from '../reconciler/view/plan-words.ts';
import { isFree, totalWords } from '../reconciler/view/price-words.ts';
import type { Change, PlanWarning } from '../schemas/plan.ts';
import { hiddenJson, link } from './escape.ts';
import { lifeTexts } from './life-text.ts';
import { fitted, type Shown, short, shortPlan } from './limit.ts';
import { foldText } from './service-fold.ts';
import { aroundRow, isFoldable, ranked, rowOf, tableText } from './service-table.ts';
import type { CommentView, Marker } from './view.ts';

/** UTF-8 bytes. GitHub refuses comments a little above 65,000, and counts in its own way. */
export const COMMENT_BYTES = 60_000;
/** UTF-8 bytes of a job's summary. GitHub takes 1 MiB for a step, with what stands around it. */
export const SUMMARY_BYTES = 1_000_000;

export function renderComment(view: CommentView): string {
  const { project, path, at, run, head } = view;
  const marker = `${markerLine({ project, path, at, run, head, digest: view.plan.digest })}\n`;
  return marker + renderSummary(view, COMMENT_BYTES - Buffer.byteLength(marker));
}

/** The comment without what names it, for pages that nobody looks it up on. */
export function renderSummary(view: CommentView, bytes = SUMMARY_BYTES): string {
  const shown = { ...view, plan: shortPlan(view.plan) };
  return isQuiet(shown) ? quietText(shown) : fullText(shown, bytes);
}

/** Whose comment it is, by its first line alone; null when we did not write it. */
export function parseMarker(body: string): Marker | null {
  const [line = ''] = body.split(/\r?\n/, 1);
  const json = /^<!-- trueup (\{[^<>]*\}) -->$/.exec(line)?.[1];
  const read = markerSchema.safeParse(jsonOf(json ?? ''));
  if (!read.success) return null;
  const { version: _, ...marker } = read.data;
  return marker;
}

/** What it says, without what each run says anew: when it began, its page, under which id its plan is kept. */
export function essenceOf(body: string): string {
  const { head, digest } = parseMarker(body) ?? {};
  const [, ...lines] = body.trimEnd().split(/\r?\n/);
  return JSON.stringify([head, digest, lines.join('\n').replace(RUN_LINK, ']').replace(KEPT, '')]);
}

/** Why it is ✗: it would not, or did not, come to pass. ⚠: read what is warned of. */
export function verdictMark({ plan, life }: CommentView): string {
  const isStopped = plan.warnings.some(stops) || plan.changes.some(({ hold }) => hold?.reason === 'budget');
  const isLost = life.kind === 'refused' || life.kind === 'failed';
  if (isStopped || isLost) return '✗';
  const { text } = verdictOf(plan);
  return text === '✓' && plan.deletions.length > 0 ? '⚠' : text;
}

// Private

/** Not just something to know: as things are, it cannot be carried out. */
function stops({ kind }: PlanWarning): boolean {
  return kind === 'over-budget' || kind === 'over-max-price' || kind === 'no-offer';
}

function warningItem(warning: PlanWarning): string {
  return warningText(warning, stops(warning) ? '✗' : '⚠');
}

const markerSchema = z.strictObject({
  version: z.literal(1),
  project: z.string(),
  path: z.string(),
  at: z.iso.datetime({ offset: true }),
  run: z.int().optional(),
  head: z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
});

/** As `link` writes it. */
const RUN_LINK = /\]\(https?:[^()\s]*\/actions\/runs\/\d*\)/g;
/** As the footer has it. */
const KEPT = / · kept as <code>[^<]*<\/code>(?: until [\d-]+)?/g;

function markerLine(marker: Marker): string {
  return `<!-- trueup ${hiddenJson({ version: 1, ...marker })} -->`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Nothing to decide. */
function isQuiet({ plan, life }: CommentView): boolean {
  const isWell = life.kind !== 'refused' && life.kind !== 'failed';
  const hasNews = [shownChanges(plan), shownAround(plan), plan.warnings, plan.failures, plan.problems].some(
    ({ length }) => length > 0,
  );
  return isWell && !hasNews;
}

function quietText(view: CommentView): string {
  const about = [...priceTexts(view), escaped(titleOf(view.plan))].join(' · ');
  const notes = view.notes.slice(0, NOTES_SHOWN).map((note) => `- ${noteText(note)}`);
  return `${['✓', titleText(view), `nothing changes · ${about}`].join(' ')}\n${notes.length > 0 ? `\n${notes.join('\n')}\n` : ''}`;
}

type Part =
  | 'unchanged'
  | 'offers'
  | 'fields'
  | 'folds'
  | 'rows'
  | 'warnings'
  | 'problems'
  | 'differences'
  | 'log';

/** What goes first when it is too long, and how far. */
const ORDER: readonly (readonly [part: Part, least: number])[] = [
  ['unchanged', 0],
  ['offers', 0],
  ['fields', 5],
  ['folds', 0],
  ['rows', 20],
  ['log', 5],
  ['problems', 2],
  ['differences', 2],
  ['warnings', 3],
  ['rows', 0],
  ['log', 0],
];

/** Even where there is room: more of them are no help to decide. */
const ROWS_SHOWN = 100;
const FIELDS_SHOWN = 50;
const LISTED = 20;
const NOTES_SHOWN = 6;
/** Fields of a service that is the only one, shown unfolded. */
const FIELDS_OPEN = 10;

function fullText(view: CommentView, bytes: number): string {
  const changes = ranked(view.plan);
  const rows = [...changes.map(rowOf), ...shownAround(view.plan).map(aroundRow)];
  const foldable = changes.filter(isFoldable);
  const foldOf = folder(foldable, changes.length === 1);
  const all: Shown<Part> = {
    unchanged: 1,
    offers: 1,
    fields: FIELDS_SHOWN,
    folds: foldable.length,
    rows: Math.min(rows.length, ROWS_SHOWN),
    warnings: LISTED,
    problems: LISTED,
    differences: LISTED,
    log: LISTED,
  };
  const textOf = (shown: Shown<Part>) => {
    const services = rows.length > 0 ? [tableText(view.plan, rows, shown.rows, shown.unchanged > 0)] : [];
    const folds = foldable.slice(0, shown.folds).map((change) => foldOf(change, shown));
    const parts = [
      headline(view),
      ...lifeTexts(view, shown),
      ...newsTexts(view, shown),
      ...services,
      ...folds,
    ];
    return `${[...parts, ...leftOutTexts(view, foldable, shown), footer(view)].join('\n\n')}\n`;
  };
  return fitted(textOf, all, ORDER, bytes);
}

/** Each fold is made once for what is shown of it. */
function folder(changes: readonly Change[], isAlone: boolean) {
  const made = new Map(changes.map((change) => [change, new Map<string, string>()]));
  return (change: Change, { fields, offers }: Shown<Part>): string => {
    const texts = made.get(change);
    const most = Math.min(fields, change.fields.length);
    const isOpen = isAlone && change.fields.length <= FIELDS_OPEN;
    const key = `${most} ${offers}`;
    const text = texts?.get(key) ?? foldText(change, { fields: most, hasOffers: offers > 0, isOpen });
    texts?.set(key, text);
    return text;
  };
}

function headline(view: CommentView): string {
  const { plan } = view;
  const isChanged = [...plan.changes, ...shownAround(plan)].some(({ change }) => change !== 'keep');
  const counts = isChanged ? countsOf(plan) : 'nothing changes';
  return `#### ${[`${verdictMark(view)} ${titleText(view)} ${counts}`, ...priceTexts(view)].join(' · ')}`;
}

/** `trueup staging in deploy/eu:`, without what goes without saying. */
function titleText({ project, path }: CommentView): string {
  const which = project === 'main' ? '' : ` ${escaped(short(project, 64))}`;
  const where = path === '' ? '' : ` in ${escaped(short(path, 64))}`;
  return `trueup${which}${where}:`;
}

function priceTexts({ plan }: CommentView): string[] {
  if (isFree(plan.price)) return [];
  const { price, peak, without } = totalWords(plan);
  return [price, peak, without].filter(Boolean).map(escaped);
}

/** What has to be known before deciding, worst first. */
function newsTexts({ plan, notes }: CommentView, { warnings, problems }: Shown<Part>): string[] {
  const source = isFree(plan.price) ? null : sourceWords(plan.prices);
  const items = [
    ...listed([...plan.warnings.map(warningItem), ...plan.failures.map(failureText)], warnings, 'warnings'),
    ...listed(plan.problems.map(problemText), problems, 'problems'),
    ...[...notes, ...(source ? [`${source}.`] : [])].slice(0, NOTES_SHOWN).map(noteText),
  ];
  return items.length > 0 ? [items.map((item) => `- ${item}`).join('\n')] : [];
}

function noteText(note: string): string {
  return `ℹ ${prose(short(note))}`;
}

function listed(items: readonly string[], most: number, what: string): string[] {
  const left = items.length - most;
  return [...items.slice(0, most), ...(left > 0 ? [`*… and ${left} more ${what}*`] : [])];
}

function leftOutTexts(
  { plan, runUrl }: CommentView,
  changes: readonly Change[],
  shown: Shown<Part>,
): string[] {
  const folded = changes.slice(0, shown.folds);
  const isLeft: readonly (readonly [what: string, is: boolean])[] = [
    ['names of unchanged services', shown.unchanged === 0 && unchangedOf(plan).length > 0],
    ['offers', shown.offers === 0 && folded.some(placesReplicas)],
    [
      `more than ${shown.fields} fields of a service`,
      folded.some(({ fields }) => fields.length > shown.fields),
    ],
    [`details of ${changes.length - folded.length} services`, folded.length < changes.length],
  ];
  const left = isLeft.flatMap(([what, is]) => (is ? [what] : []));
  if (left.length === 0) return [];
  const log = link("job's log", runUrl) || "job's log";
  return [`*Left out, so that this fits: ${left.join(', ')}. The ${log} and \`plan-json\` have all of it.*`];
}

function footer(view: CommentView): string {
  const { plan, runUrl } = view;
  const month = isFree(plan.price) ? [] : [`${totalWords(plan).month} of 730 hours`];
  return `<sub>${[...month, aboutText(plan), link('run', runUrl)].filter(Boolean).join(' · ')}</sub>`;
}
