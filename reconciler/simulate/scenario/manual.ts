// The tables of docs/simulate.md: every field of a scenario, made from the schema that reads it.
import { fieldTables } from '../../../schemas/manual.ts';
import { scenario } from './schema.ts';

export function scenarioManual(): string {
  return fieldTables(scenario, 'scenario');
}
