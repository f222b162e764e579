// A plan in words, for every place that shows one: its verdict, its changes, its warnings. Knows no layout.
// What comes from a repository is made harmless where it is laid out.
import type { AroundChange, Change, GroupPlan, Hold, Plan, PlanWarning } from '../../schemas/plan.ts';
import type { Tone } from './cells.ts';
import { shortCommit } from './cells.ts';
import { rangeOf } from './text.ts';

export interface Mark {
  readonly text: string;
  readonly tone: Tone;
}

export const MARKS: { readonly [change in Change['change']]: Mark } = {
  create: { text: '+', tone: 'good' },
  update: { text: '~', tone: 'warn' },
  delete: { text: '-', tone: 'bad' },
  rename: { text: '→', tone: 'warn' },
  keep: { text: '=', tone: 'dim' },
};

/** ✗: not all of it could be read. ⚠: read the warnings. */
export function verdictOf({ problems, warnings, failures, changes }: Plan): Mark {
  if (problems.some(({ severity }) => severity === 'error')) return { text: '✗', tone: 'bad' };
  const isDoubtful = warnings.length > 0 || failures.length > 0 || changes.some(({ hold }) => hold);
  return isDoubtful ? { text: '⚠', tone: 'warn' } : { text: '✓', tone: 'good' };
}

/** `1 to create, 2 to update, 1 fleet to create, 4 unchanged` */
export function countsOf(plan: Plan): string {
  const { changes, warnings } = plan;
  const services = (['create', 'update', 'rename', 'delete'] as const).flatMap((what) => {
    const count = changes.filter(({ change }) => change === what).length;
    return count > 0 ? [`${count} to ${what}`] : [];
  });
  const counts = [...services, ...aroundCounts(plan)];
  if (counts.length === 0)
    return warnings.some(({ kind }) => kind === 'policy') ? 'No service changes.' : 'Nothing changes.';
  const kept = changes.filter(({ change }) => change === 'keep');
  const [unread, unchanged] = [kept.filter(isKeptForReason), kept.filter((each) => !isKeptForReason(each))];
  return [
    ...counts,
    ...(unread.length > 0 ? [`${unread.length} kept`] : []),
    ...(unchanged.length > 0 ? [`${unchanged.length} unchanged`] : []),
  ].join(', ');
}

/** Of what against what. A commit that is in force may still have changes that wait. */
export function titleOf({ commit, base }: Pick<Plan, 'commit' | 'base'>): string {
  const what = commit ? `commit ${shortCommit(commit)}` : 'these files';
  if (commit !== null && commit === base) return what;
  return `${what} against ${base ? shortCommit(base) : 'nothing'}`;
}

/** Changes that a reader has to look at: a service that is kept for a reason is one. */
export function shownChanges({ changes }: Plan): readonly Change[] {
  return changes.filter((change) => change.change !== 'keep' || isKeptForReason(change));
}

export function unchangedOf({ changes }: Plan): readonly Change[] {
  return changes.filter((change) => change.change === 'keep' && !isKeptForReason(change));
}

/** Fleets and volumes that a reader has to look at. */
export function shownAround({ around = [] }: Plan): readonly AroundChange[] {
  return around.filter(({ change, text }) => change !== 'keep' || text !== 'unchanged');
}

export function unchangedAround({ around = [] }: Plan): readonly AroundChange[] {
  return around.filter(({ change, text }) => change === 'keep' && text === 'unchanged');
}

/** `3 unchanged: api, db and web` */
export function unchangedWords(unchanged: readonly Change[]): string {
  const names = unchanged.slice(0, NAMES_SHOWN).map(({ service }) => service);
  const more = unchanged.length - names.length;
  return `${unchanged.length} unchanged: ${[...names, ...(more > 0 ? [`${more} more`] : [])].join(', ')}`;
}

/** `update (scale, replace: rolling), 2..4 replicas` */
export function whatOf(plan: Change): string {
  const { change, from, groups } = plan;
  const way = wayOf(plan) && ` (${wayOf(plan)})`;
  const old = from === undefined ? '' : ` from ${from}`;
  const [only] = groups;
  const size = groups.length > 1 ? `, ${groups.length} groups` : only ? `, ${replicasOf(only)}` : '';
  return `${change}${old}${way}${change === 'keep' ? '' : size}`;
}

/** `scale, replace: rolling`; '' when there is nothing to apply it to. */
export function wayOf({ how }: Change): string {
  const strongest = how.at(-1);
  return strongest ? `${how.join(', ')}: ${EFFECTS[strongest]}` : '';
}

export function replicasOf({ replicas: { min, max } }: GroupPlan): string {
  return `${rangeOf({ min, max })} ${max === 1 && min === 1 ? 'replica' : 'replicas'}`;
}

/** Why a change is made, where its fields do not say it already. */
export function reasonOf({ change, reason, fields, how }: Change): string {
  return change === 'update' && fields.length > 0 && how.length > 0 ? '' : reason;
}

export function warningWords({ service, message }: PlanWarning): string {
  return service === '' ? message : `${service}: ${message}`;
}

/** What stops a plan from being carried out is worse than what delays it. */
export function warningTone({ kind }: PlanWarning): Tone {
  return SEVERE.includes(kind) ? 'bad' : 'warn';
}

/** Of a budget, a warning says more. */
export function holdWords({ reason, detail, until }: Hold): string {
  const end = until === null ? '' : `, until ${until.slice(0, 16).replace('T', ' ')} UTC`;
  return `would wait (${reason})${reason === 'budget' ? '' : `: ${detail}`}${end}`;
}

/** What each change would wait for: in full of the first, and then by its name. */
export function holdsOf(changes: readonly Change[]): ReadonlyMap<Change, string> {
  const first = new Map<string, string>();
  return new Map(
    changes.flatMap((change) => {
      if (!change.hold) return [];
      const words = holdWords(change.hold);
      const like = first.get(words);
      first.set(words, like ?? change.service);
      const isShort = change.hold.reason === 'budget' || like === undefined;
      return [[change, isShort ? words : `would wait (${change.hold.reason}), like ${like}`] as const];
    }),
  );
}

export function failureWords({ backend, message }: Plan['failures'][number]): string {
  return `${backend} could not say what it sells, and is left out: ${message}`;
}

/** null: they were asked now, which goes without saying. */
export function sourceWords({ source, date }: Plan['prices']): string | null {
  if (source === 'live') return null;
  const kind = source === 'snapshot' ? 'shipped' : 'listed';
  return `${kind} prices${date ? ` of ${date}` : ''}, not live`;
}

// Private

/** More are only counted. */
const NAMES_SHOWN = 8;

const EFFECTS: { readonly [effect in Change['how'][number]]: string } = {
  route: 'no restart',
  scale: 'no restart',
  placement: 'those that fit stay',
  replace: 'rolling',
};

function aroundCounts({ around = [] }: Plan): string[] {
  return (['fleet', 'volume'] as const).flatMap((kind) =>
    (['create', 'update', 'delete'] as const).flatMap((what) => {
      const count = around.filter((each) => each.kind === kind && each.change === what).length;
      return count > 0 ? [`${count} ${kind}${count === 1 ? '' : 's'} to ${what}`] : [];
    }),
  );
}

const SEVERE: readonly PlanWarning['kind'][] = ['deletes', 'over-budget', 'over-max-price', 'no-offer'];

function isKeptForReason({ reason }: Change): boolean {
  return reason !== 'unchanged';
}
