// `trueup plan`: what the newest commit, or a working folder before it is one, would change. Executes nothing.
import { randomBytes } from 'node:crypto';
import { type Plan, planSchema } from '../../schemas/plan.ts';
import { planOf } from '../plan/diff.ts';
import { createVault } from '../secrets.ts';
import { planBlocks } from '../view/plan.ts';
import { wantedOf } from '../wanted.ts';
import { readTree, type SourceFile } from './folder.ts';
import type { Session } from './session.ts';

export interface PlanOptions {
  readonly offline?: boolean;
  readonly json?: boolean;
}

/** 1 when something could not be planned. */
export async function showPlan(
  session: Session,
  path: string | undefined,
  { offline = false, json = false }: PlanOptions,
): Promise<number> {
  const plan = offline ? await planAlone(filesOf(session, path ?? '.')) : await planThere(session, path);
  await (json ? session.json(plan) : session.blocks(planBlocks(plan)));
  return plan.problems.some(({ severity }) => severity === 'error') ? 1 : 0;
}

// Private

function filesOf({ cwd }: Session, path: string): SourceFile[] {
  const { files, policy, profiles } = readTree(path, cwd);
  return [...files, ...[policy, profiles].filter((file) => file !== null)];
}

async function planThere(session: Session, path: string | undefined): Promise<Plan> {
  const client = session.client();
  const query = { project: session.project };
  if (path === undefined) return client.get('plan', query, planSchema);
  return client.post('plan', query, { files: filesOf(session, path) }, planSchema);
}

/** Against nothing. Secrets and mounted folders are the server's to know, so none of them is missed here. */
async function planAlone(files: readonly SourceFile[]): Promise<Plan> {
  const { desired, problems } = await wantedOf(files, {
    root: '',
    secrets: () => 'unknown here',
    vault: createVault(randomBytes(32)),
    mountIds: async () => new Map(),
    refusal: () => null,
  });
  return planOf(desired, new Map(), { commit: null, base: null, problems });
}
