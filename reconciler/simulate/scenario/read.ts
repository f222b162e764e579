// A scenario file as what is to be simulated, or everything that is wrong with it.
import { dirname } from 'node:path';
import type { Problem } from '../../../schemas/errors.ts';
import type { Say } from '../../../schemas/fields.ts';
import { locate, readDocument } from '../../../schemas/findings.ts';
import { type Finding, inOrder } from '../../../schemas/problems.ts';
import { parseYaml } from '../../../schemas/yaml.ts';
import { type BackendSpec, backendSpecs } from './backends.ts';
import { type CommitSpec, commitSpecs } from './commits.ts';
import { checkEnds, endOf } from './ends.ts';
import type { Expectation } from './expectations.ts';
import { type BehaviourRule, exactness, parseSelector } from './replicas.ts';
import { EVERY_STEP, type FlowShape, type ScenarioShape, scenario } from './schema.ts';
import type { Span } from './values.ts';

/** All times in ms from the beginning, unless they say otherwise. */
export interface CrashSpec {
  readonly atMs: number;
  readonly downMs: number;
  readonly isDatabaseLost: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly seed: number;
  /** Epoch ms. */
  readonly start: number;
  readonly durationMs: number;
  readonly backends: readonly BackendSpec[];
  readonly commits: readonly CommitSpec[];
  /** The least exact first. */
  readonly behaviours: readonly BehaviourRule[];
  readonly traffic: readonly TrafficSpec[];
  readonly crashes: typeof EVERY_STEP | readonly CrashSpec[];
  readonly pollMs: number;
  readonly hasWebhook: boolean;
  readonly secrets: { readonly [name: string]: string };
  readonly expectations: readonly Expectation[];
}

export interface TrafficSpec {
  readonly service: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly rps: Span;
  readonly requestMs: number;
}

export type ReadScenario =
  | { readonly kind: 'scenario'; readonly scenario: Scenario }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/** `path`: of the file, absolute; folders that it names are read. */
export function readScenario(path: string, file: string, text: string): ReadScenario {
  const document = parseYaml(text);
  const read = document.value === undefined ? null : readDocument(document, scenario);
  const findings: Finding[] = [...document.findings, ...(read?.findings ?? [])];
  const say: Say = (at, message, fix) => {
    findings.push(locate({ path: at, message, fix }, document.place, 'error'));
  };
  const made = read?.data === undefined ? null : scenarioOf(read.data, path, say);
  if (made !== null && findings.length === 0) return { kind: 'scenario', scenario: made };
  return { kind: 'problems', problems: inOrder(findings).map((finding) => ({ file, ...finding })) };
}

// Private

const FIRST_START = Date.parse('2026-01-05T00:00:00Z');

function scenarioOf(shape: ScenarioShape, path: string, say: Say): Scenario {
  const backends = backendSpecs(shape.backends);
  const commits = commitSpecs(shape.commits, shape.policy ?? null, dirname(path), say);
  const durationMs = endOf(shape);
  checkEnds(shape, say);
  return {
    name:
      shape.name ??
      path
        .split('/')
        .at(-1)
        ?.replace(/\.ya?ml$/, '') ??
      '',
    seed: shape.seed ?? 1,
    start: shape.start ?? FIRST_START,
    durationMs,
    backends,
    commits,
    behaviours: behavioursOf(shape),
    traffic: Object.entries(shape.traffic ?? {}).flatMap(([service, flows]) =>
      trafficOf(service, flows, durationMs),
    ),
    crashes: crashesOf(shape),
    pollMs: Math.max(1_000, shape.reconciler?.poll ?? 30_000),
    hasWebhook: shape.reconciler?.webhook ?? true,
    secrets: shape.secrets ?? {},
    expectations: shape.expect ?? [],
  };
}

function behavioursOf({ replicas }: ScenarioShape): BehaviourRule[] {
  return Object.entries(replicas ?? {})
    .flatMap(([key, shape]) => {
      const selector = parseSelector(key);
      return selector === null ? [] : [{ key, selector, shape }];
    })
    .toSorted((a, b) => exactness(a.selector) - exactness(b.selector));
}

function crashesOf({ reconciler }: ScenarioShape): Scenario['crashes'] {
  const crashes = reconciler?.crashes ?? [];
  if (crashes === EVERY_STEP) return EVERY_STEP;
  return crashes.map(({ at, down, database }) => ({
    atMs: at,
    downMs: down ?? 5_000,
    isDatabaseLost: database === 'lost',
  }));
}

/** An entry without an end lasts until the next begins. */
function trafficOf(service: string, flows: readonly FlowShape[], endMs: number): TrafficSpec[] {
  const ordered = flows.toSorted((a, b) => (a.from ?? 0) - (b.from ?? 0));
  return ordered.map(({ from, to, rps, time }, index) => ({
    service,
    fromMs: from ?? 0,
    toMs: Math.min(to ?? ordered[index + 1]?.from ?? endMs, endMs),
    rps,
    requestMs: time ?? 100,
  }));
}
