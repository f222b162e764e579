// `trueup plan`: what the newest commit, or a working folder before it is one, would change. Executes nothing.

import { relative } from 'node:path';
import { marketOf } from '../../backends/catalog/market.ts';
import { type Plan, planSchema } from '../../schemas/plan.ts';
import { type BetweenOptions, planBetween } from '../plan-between.ts';
import { planBlocks } from '../view/plan.ts';
import { CommandFailure } from './failure.ts';
import { readWholeTree, type SourceFile, type Tree } from './folder.ts';
import { mountedObjects } from './objects.ts';
import { openPrices } from './prices.ts';
import type { Session } from './session.ts';

export interface PlanOptions {
  readonly offline?: boolean;
  /** A folder of price lists, for plans without a server. */
  readonly catalog?: string;
  readonly json?: boolean;
}

/** 1 when something could not be planned. */
export async function showPlan(
  session: Session,
  path: string | undefined,
  { offline = false, catalog, json = false }: PlanOptions,
): Promise<number> {
  if (catalog !== undefined && !offline)
    throw new CommandFailure('--catalog is for plans without a server', 'Add --offline, or leave it out.');
  const plan = offline ? await planAlone(session, path ?? '.', catalog) : await planThere(session, path);
  await (json ? session.json(plan) : session.blocks(planBlocks(plan)));
  return plan.problems.some(({ severity }) => severity === 'error') ? 1 : 0;
}

// Private

function filesOf({ files, policy, profiles }: Tree): SourceFile[] {
  return [...files, ...[policy, profiles].filter((file) => file !== null)];
}

async function planThere(session: Session, path: string | undefined): Promise<Plan> {
  const client = session.client();
  const query = { project: session.project };
  if (path === undefined) return client.get('plan', query, planSchema);
  const tree = readWholeTree(path, session.cwd);
  if (tree.isAlone) throw notAFolder(path, tree.root, session.cwd);
  const objects = await mountedObjects(tree);
  return client.post('plan', query, { files: filesOf(tree), objects }, planSchema);
}

/** Everything else would look as if it were gone. */
function notAFolder(path: string, root: string, cwd: string): CommandFailure {
  const folder = relative(cwd, root) || '.';
  return new CommandFailure(
    `${path} is one file, and what runs is compared with a whole folder`,
    `Name the folder, as in \`trueup plan ${folder}\`; --offline plans one file.`,
  );
}

async function planAlone(session: Session, path: string, catalog: string | undefined): Promise<Plan> {
  const tree = readWholeTree(path, session.cwd);
  const head = { files: filesOf(tree), commit: null };
  return planBetween(null, head, { ...(await listedPrices(session, catalog)), isAlone: tree.isAlone });
}

/** Offers of a price list: what somebody published, not what is for sale now. */
async function listedPrices({ env, note }: Session, dir: string | undefined): Promise<BetweenOptions> {
  const { catalog, source, date, notes } = await openPrices(env, { dir, network: false });
  for (const text of notes) note(text);
  return {
    prices: { source, date },
    ask: (placement, process) => marketOf(catalog, placement, process, OFFERS),
  };
}

/** Of each market; more are only counted. */
const OFFERS = 10;
