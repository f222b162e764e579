// The files of one commit as what they ask for: each file by itself, then all of them together. Pure.
import { hash } from 'node:crypto';
import {
  type Configuration,
  locatorOf,
  nameRemark,
  parseConfiguration,
} from '../../schemas/configuration.ts';
import type { ServiceSpec } from '../../schemas/desired.ts';
import type { Problem, Severity } from '../../schemas/errors.ts';
import type { Remark } from '../../schemas/findings.ts';
import type { FleetSpec } from '../../schemas/fleet.ts';
import { fleetSpecOf } from '../../schemas/fleet-spec.ts';
import type { JsonObject } from '../../schemas/json.ts';
import { DEFAULT_POLICY, type Policy, rolloutPolicy } from '../../schemas/policy.ts';
import { inOrder, type Position, pathText } from '../../schemas/problems.ts';
import { type Profiles, withProfile } from '../../schemas/profiles.ts';
import { plain, pruneObject } from '../../schemas/prune.ts';
import { resolve } from '../../schemas/resolve.ts';
import type { Service } from '../../schemas/service.ts';
import { profileRules } from '../../schemas/service-rules.ts';
import { sparseOf } from '../../schemas/sparse.ts';
import type { VolumeSpec } from '../../schemas/volume.ts';
import { volumeSpecOf } from '../../schemas/volume-spec.ts';
import { dependencyProblems, surroundingsOf, undeclared } from './dependencies.ts';

export interface ParsedFile {
  /** In the repository, '/'-separated. */
  readonly path: string;
  /** null where the file does not say it in a way that can be understood. */
  readonly type: string | null;
  /** From the file, else from its path; null when neither gives one. */
  readonly name: string | null;
  /** True unless something is wrong with severity `error`. */
  readonly ok: boolean;
  readonly problems: readonly Problem[];
  /** What the file itself says, in normal form with defaults; null when it could not be read. */
  readonly configuration: JsonObject | null;
  /** Of a service without errors: the profile merged, defaults left out. */
  readonly sparse: JsonObject | null;
  /** Of a service without errors. Its policy is the default one until `parseTree` has seen `trueup.yml`. */
  readonly spec: ServiceSpec | null;
  /** Of a fleet without errors. */
  readonly fleet: FleetSpec | null;
  /** Of a volume without errors. */
  readonly volume: VolumeSpec | null;
  /** SHA-256 of the text, hex. */
  readonly bytesDigest: string;
  /** Where the value at a path (`probes[0].url`, `env.TOKEN`) is written. */
  readonly locate: (path: string) => Position;
}

export interface ParseContext {
  /**
   * The watched folder in the repository, '' for all of it. null judges a file by itself, with nothing around it:
   * then a missing name and paths that leave its folder are warnings.
   */
  readonly root: string | null;
  readonly profiles: Profiles | null;
}

export interface ParsedTree {
  /** The services without errors, under their names, with the rollout policy that applies to each, and what they name that is not there. */
  readonly services: ReadonlyMap<string, ParsedFile>;
  /** What is checked and listed, but not reconciled. */
  readonly others: readonly Pick<ParsedFile, 'path' | 'type' | 'name'>[];
  readonly problems: readonly Problem[];
  /** Names that several files claim, or that depend on what has errors, with what is said about it: nothing changes for these. */
  readonly conflicts: ReadonlyMap<string, readonly Problem[]>;
}

/** Whether a file counts: `*.dstack.yml`, `.dstack.yml`, and the same with `.yaml`. */
export function isConfigurationPath(path: string): boolean {
  return /(?:^|\/)[^/]*\.dstack\.ya?ml$/.test(path);
}

/** Reads one file. */
export function parseFile(
  file: { readonly path: string; readonly text: string },
  context: ParseContext,
): ParsedFile {
  const read = parseConfiguration(file.text);
  const name = read.name ?? derivedName(file.path, context.root);
  const at = { name: name ?? '', path: file.path };
  const resolved = read.service === null ? null : resolveService(read.service, at, context);
  const found = (severity: Severity) => (remark: Remark) => {
    const path = pathText(remark.path);
    return { ...read.locate(path), ...remark, path, severity };
  };
  const findings = [
    ...(resolved?.mistakes ?? []).map(found('error')),
    ...[...nameRemarks(read, name), ...(resolved?.outside ?? [])].map(
      found(context.root === null ? 'warning' : 'error'),
    ),
  ];
  const problems = inOrder([...read.findings, ...findings]).map((finding) => ({
    file: file.path,
    ...finding,
  }));
  const ok = problems.every((problem) => problem.severity !== 'error');
  return {
    path: file.path,
    type: read.type,
    name,
    ok,
    problems,
    configuration: read.configuration,
    sparse: ok ? (resolved?.sparse ?? null) : null,
    spec: ok ? (resolved?.spec ?? null) : null,
    volume: ok && read.volume && name ? volumeSpecOf(read.volume, name) : null,
    fleet: ok && read.fleet && name ? fleetSpecOf(read.fleet, name) : null,
    bytesDigest: hash('sha256', file.text),
    locate: locatorOf(file.text),
  };
}

/** Puts the files of a commit together. `isWhole`: they are all that there are, so what they do not declare is not there. */
export function parseTree(files: readonly ParsedFile[], policy: Policy, isWhole = true): ParsedTree {
  const claims = Map.groupBy(
    files.filter((file) => file.type === 'service' && file.name !== null),
    (file) => file.name ?? '',
  );
  const around = surroundingsOf(files);
  const services = new Map<string, ParsedFile>();
  const conflicts = new Map<string, readonly Problem[]>();
  const missing: Problem[] = [];
  for (const [name, claimants] of claims) {
    const [file] = claimants;
    if (claimants.length > 1)
      conflicts.set(
        name,
        claimants.map((claimant) => conflict(claimant, claimants)),
      );
    else if (file?.ok && file.spec) {
      const problems = dependencyProblems(file, file.spec, around);
      if (problems.length > 0) conflicts.set(name, problems);
      else {
        const warnings = isWhole ? undeclared(file, file.spec, around) : [];
        missing.push(...warnings);
        services.set(name, withPolicy(file, file.spec, warnings, policy));
      }
    }
  }
  return {
    services,
    others: files
      .filter(({ type, ok }) => ok && type !== 'service')
      .map(({ path, type, name }) => ({ path, type, name })),
    problems: [...files.flatMap(({ problems }) => problems), ...missing, ...[...conflicts.values()].flat()],
    conflicts,
  };
}

// Private

function resolveService(
  service: Service,
  { name, path }: { readonly name: string; readonly path: string },
  { profiles }: ParseContext,
) {
  // A profile may say null.
  const whole =
    profiles === null ? service : (pruneObject(withProfile(service, profiles)) as object as Service);
  const sparse = sparseOf(whole);
  const folder = path.split('/').slice(0, -1).join('/');
  const policy = rolloutPolicy(DEFAULT_POLICY, name, sparse.model !== undefined);
  const mistakes = profiles === null ? [] : mistakesWithProfile(whole);
  const options = { name, folder, policy, idleDuration: whole.idle_duration };
  return { sparse: plain(sparse), mistakes, ...resolve(sparse, options) };
}

/** What is right in the file and right in the profile, but not together. */
function mistakesWithProfile(service: Service): readonly Remark[] {
  const mistakes: Remark[] = [];
  profileRules(service, (path, message, fix) => mistakes.push({ path, message, fix }));
  return mistakes;
}

/**
 * A name from where a file lies below the watched folder: `team/web.dstack.yml` gives `team-web`,
 * `team/.dstack.yml` gives `team`. null when nothing is left to name it by.
 */
function derivedName(path: string, root: string | null): string | null {
  const inside = root && path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path;
  const stem = inside.replace(/\.dstack\.ya?ml$/, '');
  const name = (stem === '' ? (root ?? '') : stem)
    .replace(/[/_.]/g, '-')
    .toLowerCase()
    .replace(/^-+|-+$/g, '');
  return name === '' ? null : name;
}

/** A name in the file has been judged with the rest of it. */
function nameRemarks(read: Configuration, name: string | null): Remark[] {
  if (read.type !== 'service' || read.name !== null) return [];
  const remark = nameRemark(name ?? '');
  if (remark === null) return [];
  const message =
    name === null
      ? 'the service has no name'
      : `the name from the file's path, \`${name}\`, is not a valid one`;
  return [{ path: [], message, fix: 'Add `name`, with 2 to 41 lower-case letters, digits and `-`.' }];
}

const CLAIMANTS_NAMED = 3;

function conflict(file: ParsedFile, claimants: readonly ParsedFile[]): Problem {
  const others = claimants.filter(({ path }) => path !== file.path).map(({ path }) => path);
  const named = others.slice(0, CLAIMANTS_NAMED).join(', ');
  const more = others.length > CLAIMANTS_NAMED ? ` and ${others.length - CLAIMANTS_NAMED} more` : '';
  return {
    file: file.path,
    ...file.locate('name'),
    path: 'name',
    message: `the name \`${file.name}\` is also claimed by ${named}${more}`,
    fix: 'Give each service a name of its own.',
    severity: 'error',
  };
}

function withPolicy(
  file: ParsedFile,
  spec: ServiceSpec,
  warnings: readonly Problem[],
  policy: Policy,
): ParsedFile {
  return {
    ...file,
    problems: warnings.length > 0 ? [...file.problems, ...warnings] : file.problems,
    spec: { ...spec, policy: rolloutPolicy(policy, spec.name, spec.model !== null) },
  };
}
