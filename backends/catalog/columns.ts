// Rows by what sets them apart. Many share a place, a kind of machine, a size of memory: what is asked is judged once for
// each that differs, by the rule itself, and rows only carry the numbers of theirs.
import { isShown, REQUIREMENTS, type Requirement, type Rule } from './match.ts';
import type { Query } from './query.ts';
import type { Row } from './row.ts';

/** Rows told apart by some of their fields. */
export interface Column {
  /** For each that differs the first row that has it. */
  readonly examples: readonly Row[];
  /** For each row the number of its example. */
  readonly codes: Uint16Array | Uint32Array;
  /** All that reads these fields. */
  readonly rules: readonly Rule[];
}

/** For each of them 1 if it is as asked, else 0. */
export type Verdict = Uint8Array;

/** Where it is sold. */
export function placesOf(rows: readonly Row[]): Column {
  return createColumn(PLACE, rows);
}

/** Under which name. */
export function namesOf(rows: readonly Row[]): Column {
  return createColumn(NAME, rows);
}

/** What is sold: everything but place, name and price. */
export function kindsOf(rows: readonly Row[]): Column {
  const fields = KIND_PARTS.flatMap((each) => each.fields);
  return createColumn({ fields, rules: KIND_PARTS.flatMap((each) => each.rules) }, rows);
}

/** The kinds again, told apart by one requirement or a few: what is judged of these is judged of few. */
export function partsOf(kinds: Column): readonly Column[] {
  return KIND_PARTS.map((each) => createColumn(each, kinds.examples));
}

/** Of the examples. */
export function judge({ examples, rules }: Column, query: Query): Verdict {
  const verdict = new Uint8Array(examples.length).fill(1);
  for (const rule of rules) {
    const test = rule(query);
    if (test === null) continue;
    examples.forEach((example, code) => {
      if (!test(example)) verdict[code] = 0;
    });
  }
  return verdict;
}

export function isAbout({ rules }: Column, requirement: Requirement): boolean {
  const rule: unknown = REQUIREMENTS[requirement];
  return rules.some((each) => each === rule);
}

// Private

interface Part {
  readonly fields: readonly (keyof Row)[];
  readonly rules: readonly Rule[];
}

/** A rule that reads another field than these does not compile. */
function part<Field extends keyof Row>(fields: readonly Field[], rules: readonly Rule<Field>[]): Part {
  return { fields, rules };
}

const PLACE = part(
  ['backend', 'region'],
  [
    REQUIREMENTS.backends,
    REQUIREMENTS.regions,
    REQUIREMENTS.availability_zones,
    REQUIREMENTS.reservation,
    REQUIREMENTS.privileged,
    REQUIREMENTS.volumes,
  ],
);

const NAME = part(['instance'], [REQUIREMENTS.instance_types]);

const KIND_PARTS: readonly Part[] = [
  part(['spot', 'flags'], [REQUIREMENTS.spot_policy, isShown]),
  part(['cpu', 'arch'], [REQUIREMENTS.cpu, REQUIREMENTS['cpu.arch']]),
  part(['memoryGib'], [REQUIREMENTS.memory]),
  // The backend is part of a kind too: it says which disks there are.
  part(['backend', 'diskGib'], [REQUIREMENTS.disk]),
  part(
    ['gpuCount', 'gpuName', 'gpuMemoryGib', 'gpuVendor'],
    [
      REQUIREMENTS['gpu.vendor'],
      REQUIREMENTS['gpu.name'],
      REQUIREMENTS['gpu.count'],
      REQUIREMENTS['gpu.memory'],
      REQUIREMENTS['gpu.total_memory'],
      REQUIREMENTS['gpu.compute_capability'],
    ],
  ),
];

function createColumn({ fields, rules }: Part, rows: readonly Row[]): Column {
  const codeByKey = new Map<string, number>();
  const examples: Row[] = [];
  const codes = rows.map((row) => {
    const key = fields.map((field) => row[field]).join('\0');
    const known = codeByKey.get(key);
    if (known !== undefined) return known;
    codeByKey.set(key, examples.length);
    return examples.push(row) - 1;
  });
  const fits = examples.length <= 2 ** 16;
  return { rules, examples, codes: fits ? Uint16Array.from(codes) : Uint32Array.from(codes) };
}
