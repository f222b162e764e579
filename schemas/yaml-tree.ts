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
import { type Finding, inOrder, pathText, shown } from './problems.ts';
import { isMapping, type Place, positionAt, type Yaml } from './yaml-value.ts';

export const MAX_VALUES = 100_000;
export const MAX_DEPTH = 64;

export type Tree =
  | { readonly built: Built; readonly findings: readonly Finding[] }
  | { readonly refused: readonly Finding[] };

/** A value and its place in one. */
export interface Built extends Place {
  readonly value: Yaml;
  /** How many values it stands for once aliases are followed. */
  readonly size: number;
  readonly members: Members;
}

export function buildTree(root: Node | null, lines: LineCounter): Tree {
  const work: Work = { lines, findings: [], anchors: new Map(), path: [], values: 0 };
  try {
    const built = build(work, root, offsetOf(root), null);
    return { built, findings: inOrder(work.findings) };
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
  /** To what is being built. Grows and shrinks: a copy for each value would cost more than the value. */
  readonly path: (string | number)[];
  values: number;
}

type Members = ReadonlyMap<string | number, Built>;

const NO_MEMBERS: Members = new Map();

/** The document is of no use at all. Thrown and caught in this file. */
class Refused extends Error {
  readonly finding: Finding;
  constructor(finding: Finding) {
    super(finding.message);
    this.finding = finding;
  }
}

/** `key` is where its key is, where it has one. */
function build(work: Work, node: Node | null, at: number, key: number | null): Built {
  if (isAlias(node)) return buildAlias(work, node, at, key);
  count(work, 1, at);
  const built = buildNode(work, node, at, key);
  if (node !== null && 'anchor' in node && node.anchor !== undefined) work.anchors.set(node.anchor, built);
  return built;
}

function buildNode(work: Work, node: Node | null, at: number, key: number | null): Built {
  if (isMap(node)) return buildMapping(work, node, at, key);
  if (isSeq(node)) return buildSequence(work, node, at, key);
  const value = isScalar(node) ? scalarOf(work, node, at) : null;
  return { value, at, key, members: NO_MEMBERS, size: 1 };
}

function buildAlias(work: Work, node: Alias, at: number, key: number | null): Built {
  const target = work.anchors.get(node.source);
  if (target === undefined) {
    const fix = `Define it above with \`&${node.source}\`, outside of itself.`;
    throw new Refused(finding(work, at, `\`*${node.source}\` refers to nothing above it`, fix));
  }
  count(work, target.size, at);
  return { ...target, key };
}

function buildSequence(work: Work, node: YAMLSeq, at: number, key: number | null): Built {
  checkTag(work, node.tag, 'seq', at);
  const value: Yaml[] = [];
  const members = new Map<number, Built>();
  let size = 1;
  for (const [index, item] of (node.items as (Node | null)[]).entries()) {
    work.path.push(index);
    const built = build(work, item, offsetOf(item), null);
    work.path.pop();
    value.push(built.value);
    members.set(index, built);
    size += built.size;
  }
  return { value, at, key, members, size };
}

function buildMapping(work: Work, node: YAMLMap, at: number, key: number | null): Built {
  checkTag(work, node.tag, 'map', at);
  const own = new Map<string, Built>();
  const merged = new Map<string, Built>();
  for (const pair of node.items as Pair<Node, Node | null>[]) {
    const keyAt = offsetOf(pair.key);
    if (isMergeKey(pair.key)) merge(work, merged, pair.value ?? null, keyAt);
    else buildMember(work, own, pair, keyAt);
  }
  return mapping(merged.size === 0 ? own : new Map([...merged, ...own]), at, key);
}

function buildMember(work: Work, into: Map<string, Built>, pair: Pair<Node, Node | null>, key: number): void {
  const name = nameOf(work, pair.key, key);
  if (name === null) return;
  work.path.push(name);
  const value = pair.value ?? null;
  const built = build(work, value, offsetOf(value), key);
  if (into.has(name)) report(work, key, `${shown(name)} is given twice`, 'Remove one of the two.');
  else into.set(name, placed(built, value, key));
  work.path.pop();
}

function mapping(members: ReadonlyMap<string, Built>, at: number, key: number | null): Built {
  const value: { [key: string]: Yaml } = Object.create(null);
  let size = 1;
  for (const [name, built] of members) {
    value[name] = built.value;
    size += built.size;
  }
  return { value, at, key, members, size };
}

/** A value left empty has no place of its own: it is where its key is. */
function placed(built: Built, node: Node | null, key: number): Built {
  const isEmpty = built.value === null && (node === null || (isScalar(node) && node.source === ''));
  return isEmpty ? { ...built, at: key } : built;
}

// Private: keys

function isMergeKey(node: Node | null): boolean {
  return isScalar(node) && node.type === 'PLAIN' && node.source === '<<';
}

/** A key as text; null, and a finding, when it cannot be one. */
function nameOf(work: Work, node: Node | null, at: number): string | null {
  const { value } = build(work, node, at, null);
  if (typeof value === 'bigint' || typeof value === 'number') return numberText(value);
  if (typeof value === 'string' && value !== '__proto__') return value;
  const source = isScalar(node) ? (node.source ?? '') : '';
  const subject = source === '' ? 'this' : `the key ${shown(source)}`;
  const what = typeof value === 'boolean' ? `is read as ${value}` : 'cannot be a key';
  const fix = typeof value === 'string' ? 'Use another name.' : 'Write the key as text, in quotes.';
  report(work, at, `${subject} ${what}`, fix);
  return null;
}

/** What comes first wins, and a mapping's own keys win over all. */
function merge(work: Work, into: Map<string, Built>, node: Node | null, at: number): void {
  const source = build(work, node, offsetOf(node), null);
  for (const { value, members } of Array.isArray(source.value) ? source.members.values() : [source]) {
    if (!isMapping(value)) {
      report(work, at, '`<<` merges mappings, and this is none', 'Give it an alias of a mapping.');
      continue;
    }
    for (const [name, built] of members) if (!into.has(String(name))) into.set(String(name), built);
  }
}

// Private: scalars and tags

/** Default values and merges: YAML 1.1 has them as keys, and PyYAML takes them for nothing else. */
const RESERVED: readonly string[] = ['=', '<<'];

const STANDARD = /^tag:yaml\.org,2002:/;
const TAGGED: { readonly [tag: string]: (value: Scalar) => boolean } = {
  null: (value) => value === null,
  bool: (value) => typeof value === 'boolean',
  int: (value) => typeof value === 'bigint',
  float: (value) => typeof value === 'number' || typeof value === 'bigint',
};

function scalarOf(work: Work, node: ScalarNode, at: number): Scalar {
  const text = String(node.value ?? '');
  const tag = node.tag?.replace(STANDARD, '');
  if (tag === '!' || tag === 'str' || (tag === undefined && node.type !== 'PLAIN')) return text;
  if (tag === undefined) {
    if (RESERVED.includes(text))
      report(work, at, `${shown(text)} without quotes is a sign of YAML's own`, `Write "${text}".`);
    if (isSexagesimal(text)) warnOfSexagesimal(work, text, at);
    return resolveScalar(text);
  }
  const value = resolveScalar(node.source ?? text);
  if (Object.hasOwn(TAGGED, tag) && TAGGED[tag]?.(value)) return tag === 'float' ? Number(value) : value;
  reportTag(work, tag, at);
  return text;
}

function checkTag(work: Work, tag: string | undefined, expected: string, at: number): void {
  const name = tag?.replace(STANDARD, '');
  if (name !== undefined && name !== expected && name !== '!') reportTag(work, name, at);
}

function reportTag(work: Work, tag: string, at: number): void {
  const name = shown(tag.startsWith('!') ? tag : `!!${tag}`);
  report(work, at, `the tag ${name} does not fit here`, 'Remove the tag.');
}

function warnOfSexagesimal(work: Work, text: string, at: number): void {
  const message = `\`${text}\` without quotes is the number ${String(resolveScalar(text))} in YAML 1.1`;
  work.findings.push({ ...finding(work, at, message, `Write "${text}".`), severity: 'warning' });
}

// Private: bookkeeping

function count(work: Work, size: number, at: number): void {
  work.values += size;
  if (work.values > MAX_VALUES) {
    const message = `the file holds more than ${MAX_VALUES} values`;
    throw new Refused(finding(work, at, message, 'Make it smaller; use fewer aliases.'));
  }
  if (work.path.length > MAX_DEPTH) {
    throw new Refused(finding(work, at, 'the file is nested too deeply', 'Make it flatter.'));
  }
}

function offsetOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}

function report(work: Work, at: number, message: string, fix: string): void {
  work.findings.push(finding(work, at, message, fix));
}

function finding({ lines, path }: Work, at: number, message: string, fix: string): Finding {
  return { ...positionAt(lines, at), path: pathText(path), message, fix, severity: 'error' };
}
