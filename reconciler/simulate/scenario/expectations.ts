// What a scenario expects of its summary: parts of it, each at a moment or at the end. Names that no summary has are
// slips of the pen, and are said before anything is run.
import { type Field, isWrong, reading, type Say } from '../../../schemas/fields.ts';
import { closest, shown } from '../../../schemas/problems.ts';
import { isMapping, type Yaml } from '../../../schemas/yaml-value.ts';
import type { ServiceSummary, Summary } from '../summary.ts';
import type { FleetSummary, VolumeSummary } from '../summary-around.ts';
import { jsonOf, readTime } from './values.ts';

/** What the summary of the moment must say. */
export interface Expectation {
  /** Ms from the beginning; null: at the end. */
  readonly atMs: number | null;
  readonly what: { readonly [member: string]: unknown };
}

export const expectations: Field<readonly Expectation[]> = reading(
  (value, say) => {
    const list = Array.isArray(value) ? value : [value];
    return list.flatMap((each, index) =>
      readExpectation(each, (path, ...words) => say([index, ...path], ...words)),
    );
  },
  { title: '[what the summary must say](#expectations), or a list of such with an `at` each' },
);

// Private

/** Members by name: those inside of each, or null where anything may stand. */
interface Members {
  readonly [name: string]: Members | null;
}

const REQUESTS: Members = { ok: null, failed: null };

const OF_SERVICE: { readonly [member in keyof Required<ServiceSummary>]: Members | null } = {
  deployment: null,
  revision: null,
  ready: null,
  desired: null,
  status: null,
  live: null,
  minReady: null,
  maxLive: null,
  converged: null,
  requests: REQUESTS,
  rollout: { to: null, outcome: null, reason: null },
  waiting: null,
  next: null,
  failure: { replica: null, deployment: null, t: null, reason: null, log: null },
};

const OF_FLEET: { readonly [member in keyof Required<FleetSummary>]: Members | null } = {
  machines: null,
  used: null,
  idle: null,
  kept: null,
  waiting: null,
};

const OF_VOLUME: { readonly [member in keyof Required<VolumeSummary>]: Members | null } = {
  phase: null,
  heldBy: null,
  waiting: null,
};

/** Members that have one for each name. */
const BY_NAME = {
  services: { known: OF_SERVICE, where: 'the summary of a service' },
  fleets: { known: OF_FLEET, where: 'the summary of a fleet' },
  volumes: { known: OF_VOLUME, where: 'the summary of a volume' },
};

const OF_SUMMARY: {
  readonly [member in Exclude<keyof Required<Summary>, keyof typeof BY_NAME>]: Members | null;
} = {
  problems: null,
  removed: null,
  minReady: null,
  maxLive: null,
  converged: null,
  requests: REQUESTS,
  cost: null,
  leaked: null,
  violations: null,
  unmet: null,
  crashes: null,
  seed: null,
  seconds: null,
};

function readExpectation(value: Yaml, say: Say): Expectation[] {
  if (!isMapping(value)) {
    say([], 'an expectation is a mapping', 'Write members of the summary, as `requests: {failed: 0}`.');
    return [];
  }
  const { at, ...what } = value;
  const atMs = at == null ? null : readTime(at);
  if (isWrong(atMs)) say(['at'], atMs.message, atMs.fix);
  checkSummary(what, say);
  return [{ atMs: isWrong(atMs) ? null : atMs, what: jsonOf(what) as Expectation['what'] }];
}

function checkSummary(summary: { readonly [member: string]: Yaml }, say: Say): void {
  const named = Object.fromEntries(Object.keys(BY_NAME).map((member) => [member, null]));
  checkNames(summary, { ...named, ...OF_SUMMARY }, 'a summary', [], say);
  for (const [member, { known, where }] of Object.entries(BY_NAME)) {
    const given = summary[member];
    for (const [name, each] of Object.entries(isMapping(given) ? given : {}))
      checkNames(each, known, where, [member, name], say);
  }
}

function checkNames(value: Yaml, known: Members, where: string, path: readonly string[], say: Say): void {
  if (!isMapping(value)) return;
  for (const [name, member] of Object.entries(value)) {
    const inside = Object.hasOwn(known, name) ? known[name] : undefined;
    if (inside) checkNames(member, inside, where, [...path, name], say);
    if (inside !== undefined) continue;
    const near = closest(name, Object.keys(known));
    const fix = near === null ? `There is ${Object.keys(known).join(', ')}.` : `Did you mean \`${near}\`?`;
    say([...path, name], `${shown(name)} is not in ${where}`, fix);
  }
}
