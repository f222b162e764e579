// A simulated run in words: the story with its times, how it ended, and whether what must hold did.
import type { StoryLine } from '../simulate/story.ts';
import type { ServiceSummary, Summary, WaitSummary } from '../simulate/summary.ts';
import type { AroundSummary } from '../simulate/summary-around.ts';
import {
  BLANK,
  type Block,
  type Cell,
  dim,
  fact,
  type Line,
  line,
  plain,
  problemLines,
  type Row,
  strong,
  type Tone,
  toneOf,
} from './cells.ts';
import { clockText } from './timeline.ts';

/** Lines of a story that fit a terminal; `--json` has all. */
const SHOWN = 40;
const MOST_WAITS = 12;
const LOG_SHOWN = 3;

/** A long story is told without its small steps first, then cut in the middle: how it ends matters. */
export function storyBlocks(story: readonly StoryLine[]): Block[] {
  const told = story.length > SHOWN ? story.filter(({ event }) => !SMALL.has(event)) : story;
  const tail = Math.floor(SHOWN / 3);
  const isCut = told.length > SHOWN;
  const shown = isCut ? [...told.slice(0, SHOWN - tail), ...told.slice(-tail)] : told;
  const last = story.at(-1)?.t ?? 0;
  const columns: Columns = {
    time: clockText(last).length,
    service: Math.min(16, Math.max(1, ...shown.map(({ service }) => service.length))),
    event: Math.max(0, ...shown.map(({ event }) => event.length)),
  };
  const lines = shown.map((each) => storyLine(each, columns));
  const left = story.length - shown.length;
  const more = left > 0 ? [line(0, dim(`… ${left} more (--json has all)`))] : [];
  return isCut
    ? [...lines.slice(0, SHOWN - tail), ...more, ...lines.slice(SHOWN - tail)]
    : [...lines, ...more];
}

export function summaryBlocks(summary: Summary): Block[] {
  const { services, fleets = {}, volumes = {}, problems = [], removed } = summary;
  const { requests, cost, crashes, violations, unmet, leaked } = summary;
  const rows = Object.entries(services).map(([name, service]) => serviceRow(name, service));
  const named = <T>(of: { readonly [name: string]: T }, prefix = '') =>
    Object.entries(of).map(([name, each]) => [`${prefix}${name}`, each] as const);
  const waits = [...named(services), ...named(fleets, 'fleet:'), ...named(volumes, 'volume:')].flatMap(
    ([name, { waiting }]) => (waiting ?? []).map((reason) => waitLine(name, reason)),
  );
  const failures = Object.entries(services).flatMap(([name, { failure }]) =>
    failure ? failureLines(name, failure) : [],
  );
  const gone = removed.length > 0 ? [fact('removed', plain(removed.join(', ')))] : [];
  const asked = requests.ok + requests.failed;
  const traffic = asked > 0 ? [fact('requests', plain(`${asked},`), failedCell(requests.failed))] : [];
  const deaths = crashes > 0 ? [fact('crashes', plain(`${crashes} of the reconciler`))] : [];
  return [
    ...(rows.length > 0 ? [{ kind: 'table', head: HEAD, rows, shrink: [0] } as const] : []),
    ...aroundTables(summary),
    BLANK,
    ...waits.slice(0, MOST_WAITS),
    ...(waits.length > MOST_WAITS ? [line(2, dim(`… ${waits.length - MOST_WAITS} more`))] : []),
    ...failures.slice(0, MOST_WAITS),
    ...problems.slice(0, MOST_WAITS).flatMap(problemLines),
    ...gone,
    ...traffic,
    fact('cost', plain(`$${cost.toFixed(2)}`), dim(`for ${clockText(summary.seconds)}`)),
    ...deaths,
    ...verdict(violations, unmet, leaked),
  ];
}

// Private

/** Steps on the way, which the picture shows as well. */
const SMALL: ReadonlySet<string> = new Set([
  'desired',
  'machine-created',
  'machine-ending',
  'machine-idle',
  'machine-lent',
  'machine-ready',
  'machine-stopped',
  'published',
  'replica-created',
  'replica-draining',
  'replica-running',
  'replica-stopped',
  'status',
]);

const TONES: readonly (readonly [RegExp, Tone])[] = [
  [
    /^(invalid|failure|quarantined|requests-failing|rule-broken|instance-lost|reconciler-crashed)$|-(failed|lost|held)$/,
    'bad',
  ],
  [/^(rollout-done|replica-ready|fixed|requests-fine|reconciler-started|fault-ended)$/, 'good'],
  [/^(deployment|commit|removed|fault-began|pending|scaled)$|-superseded$|-unready$/, 'warn'],
];

interface Columns {
  readonly time: number;
  readonly service: number;
  readonly event: number;
}

function storyLine(
  { t, service, event, reason = '', replica, deployment }: StoryLine,
  columns: Columns,
): Line {
  const whose = replica && !reason.includes(replica) ? `${replica}: ` : '';
  const tone = TONES.find(([pattern]) => pattern.test(event))?.[1] ?? 'plain';
  const subject = service || (deployment === undefined ? '' : String(deployment));
  const cells = [
    dim(clockText(t).padStart(columns.time)),
    strong(subject.padEnd(columns.service)),
    { text: event.padEnd(columns.event), tone },
    plain(`${whose}${reason}`),
  ];
  return { kind: 'line', indent: 0, hang: columns.time + columns.service + columns.event + 3, cells };
}

const HEAD = ['SERVICE', 'STATUS', 'READY', 'LEAST', 'DEPLOYMENT', 'INSTANCES', 'FAILED'];

function serviceRow(name: string, service: ServiceSummary): Row {
  const { status, ready, desired, minReady, deployment, live, maxLive, requests } = service;
  const asked = requests.ok + requests.failed;
  const cells = [
    strong(name),
    { text: status, tone: toneOf(status) },
    plain(`${ready}/${desired}`),
    plain(minReady === null ? '-' : String(minReady)),
    plain(deployment === null ? '-' : String(deployment)),
    plain(`${live}, at most ${maxLive}`),
    plain(asked === 0 ? '-' : `${requests.failed} of ${asked}`),
  ];
  return { cells };
}

function aroundTables({ fleets = {}, volumes = {} }: AroundSummary): Block[] {
  const table = (head: readonly string[], rows: readonly Row[]): Block[] =>
    rows.length > 0 ? [BLANK, { kind: 'table', head, rows, shrink: [0] }] : [];
  const rowOf = (name: string, ...cells: readonly (string | number)[]): Row => ({
    cells: [strong(name), ...cells.map((cell) => plain(String(cell)))],
  });
  return [
    ...table(
      ['FLEET', 'MACHINES', 'USED', 'IDLE', 'KEPT'],
      Object.entries(fleets).map(([name, { machines, used, idle, kept }]) =>
        rowOf(name, machines, used, idle, kept),
      ),
    ),
    ...table(
      ['VOLUME', 'PHASE', 'HELD BY'],
      Object.entries(volumes).map(([name, { phase, heldBy }]) =>
        rowOf(name, phase, heldBy.join(', ') || 'nobody'),
      ),
    ),
  ];
}

/** What a file without groups has: nobody has to be told. */
const ONLY_GROUP = '0';

/** Why a service is not as asked, and what would end it. */
function waitLine(name: string, { reason, subject, since, until, detail }: WaitSummary): Line {
  const whose = subject === '' || subject === ONLY_GROUP ? name : `${name} (${subject})`;
  const times = [`since ${clockText(since)}`, ...(until === null ? [] : [`until ${clockText(until)}`])];
  return fact(
    'waits',
    strong(whose),
    { text: reason, tone: 'warn' },
    dim(`${times.join(', ')}:`),
    plain(detail),
  );
}

/** With the last lines that it printed. */
function failureLines(name: string, failure: NonNullable<ServiceSummary['failure']>): Line[] {
  const { replica, t, reason, log } = failure;
  const tried = fact('failed', strong(name), dim(`${clockText(t)}:`), plain(`${replica}: ${reason}`));
  return [tried, ...log.slice(-LOG_SHOWN).map((text) => fact('', dim(`│ ${text}`)))];
}

function failedCell(failed: number): Cell {
  return failed === 0 ? { text: 'none failed', tone: 'good' } : { text: `${failed} failed`, tone: 'bad' };
}

function verdict(violations: readonly string[], unmet: readonly string[], leaked: number): Block[] {
  const bad = (label: string, text: string) => fact({ text: label, tone: 'bad' }, plain(text));
  const lines = [
    ...violations.map((text) => bad('broken', text)),
    ...(leaked > 0 ? [bad('leaked', `${leaked} instances`)] : []),
    ...unmet.map((text) => bad('expected', text)),
  ];
  return lines.length > 0
    ? lines
    : [fact({ text: 'rules', tone: 'good' }, plain('all held, and nothing leaked'))];
}
