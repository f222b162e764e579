// A plan in words: each change, what it does, what it costs.
import type { Change, Plan } from '../../schemas/plan.ts';
import {
  BLANK,
  type Block,
  type Cell,
  dim,
  line,
  money,
  plain,
  problemLines,
  shortCommit,
  strong,
} from './cells.ts';

export function planBlocks(plan: Plan): Block[] {
  const changes = plan.changes.filter(({ change }) => change !== 'keep');
  const kept = plan.changes.filter(({ change }) => change === 'keep');
  const shown = [...changes, ...kept.filter(({ reason }) => reason !== 'unchanged')];
  const names = Math.min(NAME, Math.max(0, ...shown.map(({ service }) => service.length)));
  const words = Math.max(0, ...shown.map((change) => wordOf(change).length));
  return [
    line(0, strong('plan'), dim(planTitle(plan))),
    BLANK,
    ...shown.flatMap((change) => changeBlocks(change, names, words)),
    ...(shown.length > 0 ? [BLANK] : []),
    ...plan.problems.flatMap(problemLines),
    line(0, plain(summaryOf(changes, kept.length))),
    line(
      0,
      dim(
        `price ${money(plan.price.now)} now, ${money(plan.price.steady)} after, at most ${money(plan.price.peak)} meanwhile`,
      ),
    ),
  ];
}

// Private

const MARKS: { readonly [change in Change['change']]: Cell } = {
  create: { text: '+', tone: 'good' },
  update: { text: '~', tone: 'warn' },
  delete: { text: '-', tone: 'bad' },
  rename: { text: '→', tone: 'warn' },
  keep: { text: '=', tone: 'dim' },
};

/** Longer names push the rest of their line to the right. */
const NAME = 24;

/** Lines of a patch shown per service; `--json` has them all. */
const PATCH_SHOWN = 8;

function changeBlocks(item: Change, names: number, words: number): Block[] {
  const { service, change, reason, patch } = item;
  const cells = [
    MARKS[change],
    strong(service.padEnd(names)),
    plain(wordOf(item).padEnd(words)),
    dim(reason),
  ];
  const title = line(0, ...cells);
  if (change !== 'update') return [title];
  const more = patch.length > PATCH_SHOWN ? [line(4, dim(`… ${patch.length - PATCH_SHOWN} more`))] : [];
  return [title, ...patch.slice(0, PATCH_SHOWN).map(patchLine), ...more];
}

function wordOf({ change, how }: Change): string {
  return how.length > 0 ? `${change} (${how.join(', ')})` : change;
}

function patchLine({ op, path, value }: Change['patch'][number]): Block {
  const field = fieldOf(path);
  if (op === 'remove') return line(4, { text: `- ${field}`, tone: 'bad' });
  const mark: Cell = { text: `${op === 'add' ? '+' : '~'} ${field}:`, tone: op === 'add' ? 'good' : 'warn' };
  return line(4, mark, plain(JSON.stringify(value)));
}

/** A JSON pointer as people write it: `/env/A~1B` is `env.A/B`, `/commands/0` is `commands[0]`. */
function fieldOf(pointer: string): string {
  const steps = pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return steps
    .map((step, index) => (/^\d+$/.test(step) ? `[${step}]` : index > 0 ? `.${step}` : step))
    .join('');
}

function planTitle({ commit, base }: Plan): string {
  const what = commit ? shortCommit(commit) : 'these files';
  return base ? `of ${what} against ${shortCommit(base)}` : `of ${what} against nothing`;
}

function summaryOf(changes: readonly Change[], kept: number): string {
  const counts = (['create', 'update', 'rename', 'delete'] as const)
    .map((change) => [changes.filter((item) => item.change === change).length, change] as const)
    .filter(([count]) => count > 0)
    .map(([count, change]) => `${count} to ${change}`);
  if (counts.length === 0) return 'Nothing changes.';
  return [...counts, ...(kept > 0 ? [`${kept} unchanged`] : [])].join(', ');
}
