// The syntax tree of a YAML document as plain values and their places. Aliases are counted by what they stand for, so
// that a small file cannot grow into a large value.
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  type Pair,
  type Scalar as ScalarNode,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { isSexagesimal, numberText, resolveScalar, type Scalar } from './grammar/scalars.ts';
import { type Finding, inOrder, type Path, type Position, pathText, shown } from './problems.ts';
import type { Place, Yaml } from './yaml.ts';

export const MAX_VALUES = 100_000;
export const MAX_DEPTH = 64;

export type Tree =
  | { readonly value: Yaml; readonly place: Place; readonly findings: readonly Finding[] }
  | { readonly refused: readonly Finding[] };

export function buildTree(root: Node | null, lines: LineCounter): Tree {
  const work: Work = { lines, findings: [], anchors: new Map(), values: 0 };
  try {
    const { value, place } = build(work, root, []);
    return { value, place, findings: inOrder(work.findings) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { refused: inOrder([...work.findings, error.finding]) };
  }
}

// Private

interface Work {
  readonly lines: LineCounter;
  readonly findings: Finding[];
  readonly anchors: Map<string, Built>;
  values: number;
}

interface Built {
  readonly value: Yaml;
  readonly place: Place;
  /** How many values it stands for once aliases are followed. */
  readonly size: number;
  /** Of a mapping, and of a sequence, for `<<` to take from. */
  readonly entries?: Entries;
  readonly items?: readonly Built[];
}

type Entries = Map<string, { readonly key: Position; readonly built: Built }>;

/** The document is of no use at all. Thrown and caught in this file. */
class Refused extends Error {
  readonly finding: Finding;
  constructor(finding: Finding) {
    super(finding.message);
    this.finding = finding;
  }
}

function build(work: Work, node: Node | null, path: Path): Built {
  if (isAlias(node)) return buildAlias(work, node, path);
  const at = positionOf(work, node);
  count(work, 1, at, path);
  const built = buildNode(work, node, at, path);
  if (node !== null && 'anchor' in node && node.anchor !== undefined) work.anchors.set(node.anchor, built);
  return built;
}

function buildNode(work: Work, node: Node | null, at: Position, path: Path): Built {
  if (isMap(node)) return buildMapping(work, node, at, path);
  if (isSeq(node)) return buildSequence(work, node, at, path);
  const value = isScalar(node) ? scalarOf(work, node, at, path) : null;
  return { value, place: { ...at, key: null, members: new Map() }, size: 1 };
}

function buildAlias(work: Work, node: Alias, path: Path): Built {
  const at = positionOf(work, node);
  const target = work.anchors.get(node.source);
  if (target === undefined) {
    const fix = `Define it above with \`&${node.source}\`, outside of itself.`;
    throw new Refused(finding(at, path, `\`*${node.source}\` refers to nothing above it`, fix));
  }
  count(work, target.size, at, path);
  return target;
}

function buildSequence(work: Work, node: YAMLSeq, at: Position, path: Path): Built {
  checkTag(work, node.tag, 'seq', at, path);
  const items = node.items.map((item, index) => build(work, item as Node | null, [...path, index]));
  const members = new Map(items.map((item, index) => [index, { ...item.place, key: null }]));
  const value = items.map((item) => item.value);
  return { value, place: { ...at, key: null, members }, size: sizeOf(items), items };
}

function buildMapping(work: Work, node: YAMLMap, at: Position, path: Path): Built {
  checkTag(work, node.tag, 'map', at, path);
  const own: Entries = new Map();
  const merged: Entries = new Map();
  for (const pair of node.items as Pair<Node, Node | null>[]) {
    const key = positionOf(work, pair.key);
    if (isMergeKey(pair.key)) {
      merge(work, merged, build(work, pair.value ?? null, path), key, path);
      continue;
    }
    const name = nameOf(work, pair.key, key, path);
    if (name === null) continue;
    const built = build(work, pair.value ?? null, [...path, name]);
    if (own.has(name)) {
      report(work, key, [...path, name], `${shown(name)} is given twice`, 'Remove one of the two.');
    } else own.set(name, { key, built: placed(built, pair.value, key) });
  }
  return mapping(new Map([...merged, ...own]), at);
}

function mapping(entries: Entries, at: Position): Built {
  const value: { [key: string]: Yaml } = Object.create(null);
  const members = new Map<string, Place>();
  for (const [name, { key, built }] of entries) {
    value[name] = built.value;
    members.set(name, { ...built.place, key });
  }
  const size = sizeOf([...entries.values()].map(({ built }) => built));
  return { value, place: { ...at, key: null, members }, size, entries };
}

/** A value left empty has no place of its own: it is where its key is. */
function placed(built: Built, node: Node | null, key: Position): Built {
  const isEmpty = built.value === null && (node === null || (isScalar(node) && node.source === ''));
  return isEmpty ? { ...built, place: { ...built.place, ...key } } : built;
}

// Private: keys

function isMergeKey(node: Node | null): boolean {
  return isScalar(node) && node.type === 'PLAIN' && node.source === '<<';
}

/** A key as text; null, and a finding, when it cannot be one. */
function nameOf(work: Work, node: Node | null, at: Position, path: Path): string | null {
  const { value } = build(work, node, path);
  if (typeof value === 'bigint' || typeof value === 'number') return numberText(value);
  if (typeof value === 'string' && value !== '__proto__') return value;
  const source = isScalar(node) ? (node.source ?? '') : '';
  const subject = source === '' ? 'this' : `the key ${shown(source)}`;
  const what = typeof value === 'boolean' ? `is read as ${value}` : 'cannot be a key';
  const fix = typeof value === 'string' ? 'Use another name.' : 'Write the key as text, in quotes.';
  report(work, at, path, `${subject} ${what}`, fix);
  return null;
}

/** What comes first wins, and a mapping's own keys win over all. */
function merge(work: Work, into: Entries, source: Built, at: Position, path: Path): void {
  for (const { entries } of source.items ?? [source]) {
    if (entries === undefined) {
      report(work, at, path, '`<<` merges mappings, and this is none', 'Give it an alias of a mapping.');
    }
    for (const [name, entry] of entries ?? []) if (!into.has(name)) into.set(name, entry);
  }
}

// Private: scalars and tags

const STANDARD = /^tag:yaml\.org,2002:/;
const TAGGED: { readonly [tag: string]: (value: Scalar) => boolean } = {
  null: (value) => value === null,
  bool: (value) => typeof value === 'boolean',
  int: (value) => typeof value === 'bigint',
  float: (value) => typeof value === 'number' || typeof value === 'bigint',
};

function scalarOf(work: Work, node: ScalarNode, at: Position, path: Path): Scalar {
  const text = String(node.value ?? '');
  const tag = node.tag?.replace(STANDARD, '');
  if (tag === '!' || tag === 'str' || (tag === undefined && node.type !== 'PLAIN')) return text;
  if (tag === undefined) {
    if (isSexagesimal(text)) warnOfSexagesimal(work, text, at, path);
    return resolveScalar(text);
  }
  const value = resolveScalar(node.source ?? text);
  if (Object.hasOwn(TAGGED, tag) && TAGGED[tag]?.(value)) return value;
  reportTag(work, tag, at, path);
  return null;
}

function checkTag(work: Work, tag: string | undefined, expected: string, at: Position, path: Path): void {
  const name = tag?.replace(STANDARD, '');
  if (name !== undefined && name !== expected && name !== '!') reportTag(work, name, at, path);
}

function reportTag(work: Work, tag: string, at: Position, path: Path): void {
  report(
    work,
    at,
    path,
    `the tag ${shown(tag.startsWith('!') ? tag : `!!${tag}`)} does not fit here`,
    'Remove the tag.',
  );
}

function warnOfSexagesimal(work: Work, text: string, at: Position, path: Path): void {
  const message = `\`${text}\` without quotes is the number ${resolveScalar(text)} in YAML 1.1`;
  work.findings.push({ ...finding(at, path, message, `Write "${text}".`), severity: 'warning' });
}

// Private: bookkeeping

function count(work: Work, size: number, at: Position, path: Path): void {
  work.values += size;
  if (work.values > MAX_VALUES) {
    const message = `the file holds more than ${MAX_VALUES} values`;
    throw new Refused(finding(at, path, message, 'Make it smaller; use fewer aliases.'));
  }
  if (path.length > MAX_DEPTH) {
    throw new Refused(finding(at, path, 'the file is nested too deeply', 'Make it flatter.'));
  }
}

function sizeOf(items: readonly Built[]): number {
  return items.reduce((total, { size }) => total + size, 1);
}

function positionOf({ lines }: Work, node: Node | null): Position {
  const { line, col } = lines.linePos(node?.range?.[0] ?? 0);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function report({ findings }: Work, at: Position, path: Path, message: string, fix: string): void {
  findings.push(finding(at, path, message, fix));
}

function finding({ line, column }: Position, path: Path, message: string, fix: string): Finding {
  return { line, column, path: pathText(path), message, fix, severity: 'error' };
}
