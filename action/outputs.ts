// A plan as outputs of the step, for the steps after it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Change, Plan } from '../schemas/plan.ts';
import type { Job } from './job.ts';

export function setPlanOutputs({ out, context, inputs }: Job, plan: Plan): void {
  const count = (...kinds: readonly Change['change'][]) =>
    String(plan.changes.filter(({ change }) => kinds.includes(change)).length);
  out.set('changes', count('create', 'update', 'rename', 'delete'));
  out.set('creates', count('create'));
  out.set('updates', count('update', 'rename'));
  out.set('deletes', count('delete'));
  out.set('cost-now', String(plan.price.now));
  out.set('cost-steady', String(plan.price.steady));
  out.set('cost-peak', String(plan.price.peak));
  out.set('plan-digest', plan.digest);
  const file = join(context.temp, `trueup-plan-${inputs.project.replace(/[^\w.-]/g, '_')}.json`);
  writeFileSync(file, `${JSON.stringify(plan, null, 2)}\n`);
  out.set('plan-json', file);
}
