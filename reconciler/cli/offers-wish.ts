// What offers are wanted for: the replica groups of a file, or flags that say what such a file would say, or both. Flags
// are read as the file that they stand for, so that their grammar and their mistakes are those of the language.
import { type Query, queryOf } from '../../backends/catalog/query.ts';
import { backendName } from '../../backends/catalog/row.ts';
import type { GroupSpec, Placement, ProcessSpec, Range, ServiceSpec } from '../../schemas/desired.ts';
import type { Severity } from '../../schemas/errors.ts';
import { parseProfiles } from '../../schemas/profiles.ts';
import { type ParsedFile, parseFile } from '../source/parse.ts';
import { excerptBlocks } from './excerpt.ts';
import { CommandFailure } from './failure.ts';
import { readWholeTree } from './folder.ts';
import { render, screenOf } from './screen.ts';
import type { Session } from './session.ts';

export interface OfferFlags {
  readonly file?: string;
  readonly gpu?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly disk?: string;
  readonly spot?: Placement['spotPolicy'];
  readonly maxPrice?: string;
  readonly backend?: readonly string[];
  readonly region?: readonly string[];
}

/** What one replica needs. */
export interface Wish {
  /** `0` where there are no groups. */
  readonly group: string;
  /** Of what; '' of nothing that has a name. */
  readonly title: string;
  readonly placement: Placement;
  /** null: of one machine. */
  readonly replicas: GroupSpec['replicas'] | null;
  /** Known only of a file. */
  readonly process: ProcessSpec | undefined;
  /** The placement in short, as a file would say it. */
  readonly text: string;
}

/** Never empty. Throws when the file or a flag is wrong. */
export function wishesOf(session: Session, flags: OfferFlags): Wish[] {
  const asked = placementOf(session, flags);
  if (flags.file === undefined) return [wishOf('', asked, null)];
  const { name, groups } = serviceOf(session, flags.file);
  return groups.map((group) => {
    const title = groups.length > 1 ? `${name} / ${group.name}` : name;
    return wishOf(title, overridden(group.placement, flags, asked), group);
  });
}

// Private

function wishOf(title: string, placement: Placement, group: GroupSpec | null): Wish {
  const { name = '0', replicas = null, process } = group ?? {};
  return { group: name, title, placement, replicas, process, text: wishText(queryOf(placement, process)) };
}

// Private: flags

/** From where a mistake is in the file that was never written to the flag that said it. */
const FLAGS: readonly (readonly [path: RegExp, flag: string])[] = [
  [/^resources\.(gpu|cpu|memory|disk)\b/, '--$1'],
  [/^spot_policy\b/, '--spot'],
  [/^max_price\b/, '--max-price'],
  [/^backends\b/, '--backend'],
  [/^regions\b/, '--region'],
];

function placementOf({ note }: Session, flags: OfferFlags): Placement {
  const { gpu, cpu, memory, disk, spot, maxPrice, backend, region } = flags;
  const file = {
    type: 'service',
    port: 80,
    // With one of its own it may be asked for any machine.
    image: 'any',
    resources: { gpu, cpu, memory, disk },
    spot_policy: spot,
    max_price: maxPrice,
    backends: backend && namesIn(backend).map(backendName),
    regions: region && namesIn(region),
  };
  const parsed = parseFile(
    { path: 'offers.dstack.yml', text: JSON.stringify(file) },
    { root: '', profiles: null },
  );
  const placement = parsed.spec?.groups[0]?.placement;
  if (!placement) throw new CommandFailure(said(parsed, 'error'), 'See `trueup offers --help`.');
  const doubts = said(parsed, 'warning');
  if (doubts !== '') note(doubts);
  return placement;
}

/** Said once with a comma between, or several times. */
function namesIn(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(',')).map((name) => name.trim());
}

function said({ problems }: ParsedFile, wanted: Severity): string {
  const found = problems.filter(({ severity }) => severity === wanted);
  return found.map(({ path, message, fix }) => `${flagAt(path)}: ${message}. ${fix}`).join('\n');
}

function flagAt(path: string): string {
  const [pattern, flag] = FLAGS.find(([each]) => each.test(path)) ?? [];
  return pattern && flag ? (pattern.exec(path)?.[0].replace(pattern, flag) ?? path) : path;
}

/** A flag that says a default means it; a missing one means what the file says. */
function overridden(base: Placement, flags: OfferFlags, asked: Placement): Placement {
  const { requirement } = asked;
  return {
    ...base,
    requirement: {
      cpu: flags.cpu === undefined ? base.requirement.cpu : requirement.cpu,
      memoryGib: flags.memory === undefined ? base.requirement.memoryGib : requirement.memoryGib,
      diskGib: flags.disk === undefined ? base.requirement.diskGib : requirement.diskGib,
      gpu: flags.gpu === undefined ? base.requirement.gpu : requirement.gpu,
    },
    spotPolicy: flags.spot === undefined ? base.spotPolicy : asked.spotPolicy,
    maxPrice: flags.maxPrice === undefined ? base.maxPrice : asked.maxPrice,
    backends: flags.backend === undefined ? base.backends : asked.backends,
    regions: flags.region === undefined ? base.regions : asked.regions,
  };
}

// Private: the file

function serviceOf(session: Session, path: string): ServiceSpec {
  const tree = readWholeTree(path, session.cwd);
  const [file] = tree.files;
  if (!tree.isAlone || !file) {
    const what = tree.isAlone ? 'no configuration' : 'a folder';
    throw new CommandFailure(`${path} is ${what}`, 'Name one configuration file with -f.');
  }
  const { profiles } = parseProfiles(tree.profiles);
  const parsed = parseFile(file, { root: null, profiles });
  if (parsed.spec !== null) return parsed.spec;
  if (parsed.ok) throw new CommandFailure(`${path} is a ${parsed.type}`, 'Offers are shown for services.');
  showProblems(session, path, file.text, parsed);
  throw new CommandFailure(`${path} is not valid`, '', 1);
}

function showProblems({ env, note }: Session, path: string, text: string, { problems }: ParsedFile): void {
  const screen = screenOf(process.stderr, env);
  const blocks = problems.flatMap((problem) => excerptBlocks(path, text, problem, screen.width));
  note(render(blocks, screen).trimEnd());
}

// Private: in words

function wishText(query: Query): string {
  const { cpu, arch, memoryGib, diskGib, spot, maxPrice, backends, regions } = query;
  const parts = [
    `cpu ${arch ? `${arch}:` : ''}${rangeText(cpu)}`,
    `memory ${rangeText(memoryGib, 'GB')}`,
    `disk ${rangeText(diskGib, 'GB')}`,
    gpuWish(query),
    spot === 'auto' ? 'spot or on-demand' : spot,
    ...(maxPrice === null ? [] : [`at most $${maxPrice}/h`]),
    ...(backends === null ? [] : [backends.join(' or ')]),
    ...(regions === null ? [] : [`in ${regions.join(' or ')}`]),
  ];
  return parts.filter(Boolean).join(' · ');
}

function gpuWish({ gpu }: Query): string {
  const { names, vendor, memoryGib, count, totalMemoryGib, computeCapability } = gpu;
  const isAny = names.length === 0 && memoryGib === null && totalMemoryGib === null;
  if (isAny && count.min === 0 && count.max === null) return '';
  if (count.max === 0) return 'no gpu';
  const parts = [
    names.join(',') || (vendor ?? ''),
    memoryGib === null ? '' : rangeText(memoryGib, 'GB'),
    rangeText(count),
  ];
  const total = totalMemoryGib === null ? '' : ` (${rangeText(totalMemoryGib, 'GB')} in all)`;
  const least = computeCapability === null ? '' : ` (compute capability ${computeCapability})`;
  return `gpu ${parts.filter(Boolean).join(':')}${total}${least}`;
}

function rangeText({ min, max }: Range, unit = ''): string {
  if (min === max) return `${min}${unit}`;
  return `${min}${unit}..${max === null ? '' : `${max}${unit}`}`;
}
