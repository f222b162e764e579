// Services in words: how they are, what they wait for, and why.
import type { ReplicaView, ServiceView, Status, Why } from '../../schemas/api.ts';
import { aroundTables, unusedPrice, useLines } from './around.ts';
import {
  BLANK,
  type Block,
  type Cell,
  clock,
  dim,
  fact,
  line,
  money,
  ONLY_GROUP,
  plain,
  problemLines,
  type Row,
  shortCommit,
  strong,
  toneOf,
  waitingLine,
} from './cells.ts';

export function statusBlocks(status: Status): Block[] {
  const { services, around } = status;
  const unused = unusedPrice(around);
  const price = services.reduce((total, service) => total + service.pricePerHour, unused);
  const fine = services.filter((service) => toneOf(service.status) === 'good').length;
  const head = [
    strong(status.project),
    dim(status.commit ? `at ${shortCommit(status.commit)}` : 'no commit read yet'),
    ...(services.length > 0 ? [plain(`· ${fine} of ${services.length} running · ${money(price)}`)] : []),
    ...(unused > 0 ? [dim(`(${money(unused)} of it unused)`)] : []),
  ];
  const problems = projectLines(status);
  if (services.length === 0)
    return [line(0, ...head), ...problems, line(0, dim('No services.')), ...aroundTables(around)];
  const sample = services.find(({ url, name }) => url.includes(name));
  return [
    line(0, ...head),
    ...problems,
    BLANK,
    {
      kind: 'table',
      head: ['NAME', 'STATUS', 'READY', 'DEPLOYMENT', 'PRICE'],
      rows: services.flatMap((service) => [serviceRow(service), ...movingRows(service)]),
      shrink: [0],
    },
    ...(sample ? [BLANK, line(0, dim(`Each at ${sample.url.replace(sample.name, 'NAME')}`))] : []),
    ...aroundTables(around),
  ];
}

export function serviceBlocks(service: ServiceView): Block[] {
  return [
    line(
      0,
      strong(service.name),
      { text: service.status, tone: toneOf(service.status) },
      dim(readyOf(service)),
    ),
    fact('url', plain(service.url)),
    ...(service.models.length > 0 ? [fact('model', plain(service.models.join(', ')))] : []),
    fact('deployment', plain(deploymentText(service))),
    fact('price', plain(money(service.pricePerHour))),
    ...(service.rollout ? [fact('rollout', rolloutCell(service.rollout))] : []),
    ...(service.waiting ?? []).map(waitingLine),
    ...service.problems.flatMap(problemLines),
    ...(service.replicas.length > 0 ? [BLANK, replicaTable(service.replicas)] : []),
  ];
}

export function whyBlocks(why: Why): Block[] {
  const { failure, around } = why;
  return [
    line(0, strong(why.service), { text: why.status, tone: toneOf(why.status) }),
    ...why.waiting.filter(({ reason }) => reason !== 'problem' || why.problems.length === 0).map(waitingLine),
    ...why.problems.flatMap(problemLines),
    ...(around ? useLines(around) : []),
    ...(failure ? failureLines(failure) : []),
    fact('next', plain(why.next)),
  ];
}

/** The one thing worth knowing about a service that is not simply running; '' when it is. */
export function attentionOf(service: ServiceView): string {
  const [problem] = service.problems;
  const { rollout, waiting = [] } = service;
  if (problem) return `${problem.file}:${problem.line} ${problem.message}`;
  if (rollout?.outcome === 'failed' && FAILING.has(service.status)) return rolloutCell(rollout).text;
  if (rollout?.outcome === 'rolling') {
    return [rolloutCell(rollout).text, waiting[0]?.detail].filter(Boolean).join('; ');
  }
  const shown =
    service.status === 'running' ? waiting.find(({ reason }) => HELD_BACK.has(reason)) : waiting[0];
  return shown?.detail ?? '';
}

// Private

/** What somebody asked for and does not have yet, though all that runs is fine. */
const HELD_BACK: ReadonlySet<string> = new Set([
  'approval',
  'deletion-budget',
  'budget',
  'window',
  'suspended',
  'rename',
]);

/** Where a rollout that failed is still what is the matter. */
const FAILING: ReadonlySet<string> = new Set(['starting', 'rolling', 'degraded', 'failed']);

function projectLines({ problems, sourceFailure, held, others }: Status): Block[] {
  return [
    ...(sourceFailure
      ? [
          line(
            2,
            { text: 'source', tone: 'bad' },
            plain(sourceFailure.message),
            dim(`(since ${clock(sourceFailure.since)})`),
          ),
        ]
      : []),
    ...(held.length > 0
      ? [
          line(
            2,
            { text: 'kept', tone: 'warn' },
            plain(held.join(', ')),
            dim('(their files are gone; `trueup why` of each says what its removal waits for)'),
          ),
        ]
      : []),
    ...problems.flatMap(problemLines),
    ...others.map(({ path, type }) => line(2, dim(`${path}: a ${type}, read but not reconciled`))),
  ];
}

function serviceRow(service: ServiceView): Row {
  const attention = attentionOf(service);
  const cells: Cell[] = [
    strong(service.name),
    { text: service.status, tone: toneOf(service.status) },
    plain(readyOf(service)),
    plain(service.deployment === null ? '-' : `${service.deployment}`),
    plain(money(service.pricePerHour)),
  ];
  return attention ? { cells, note: dim(attention) } : { cells };
}

/** Most replicas shown under a service; the rest is counted. */
const SHOWN_REPLICAS = 8;

/** While a service is on its way its replicas are shown below it, one by one: what it is that comes and goes. */
function movingRows({ status, replicas }: ServiceView): Row[] {
  if (toneOf(status) === 'good') return [];
  const rows = replicas.slice(0, SHOWN_REPLICAS).map((replica): Row => {
    const { name, phase, ready, deployment } = replica;
    return {
      cells: [
        dim(`  ${name}`),
        { text: phase, tone: ready ? 'good' : 'dim' },
        plain(marksOf(replica)),
        dim(String(deployment)),
        dim(''),
      ],
    };
  });
  const left = replicas.length - rows.length;
  return left > 0
    ? [...rows, { cells: [dim(`  and ${left} more`), dim(''), dim(''), dim(''), dim('')] }]
    : rows;
}

function readyOf({ ready, desired }: ServiceView): string {
  return `${ready}/${desired}`;
}

function deploymentText({ deployment, revision }: ServiceView): string {
  if (deployment === null) return 'none yet';
  return revision ? `${deployment} (revision ${revision})` : `${deployment}`;
}

function rolloutCell(rollout: NonNullable<ServiceView['rollout']>): Cell {
  const { from, to, outcome, reason, ready, desired } = rollout;
  const way = from === null ? `first deployment ${to}` : `deployment ${from} → ${to}`;
  switch (outcome) {
    case 'rolling':
      return { text: `${way}: ${ready} of ${desired} ready`, tone: 'warn' };
    case 'failed':
      return { text: `${way} failed: ${reason}`, tone: 'bad' };
    case 'superseded':
      return { text: `${way} was superseded`, tone: 'dim' };
    case 'done':
      return { text: `${way} done at ${clock(rollout.endedAt ?? rollout.startedAt)}`, tone: 'plain' };
  }
}

function failureLines({ replica, reason, time, log, probes = [] }: NonNullable<Why['failure']>): Block[] {
  return [
    fact({ text: 'failed', tone: 'bad' }, plain(`${replica} ${reason}`), dim(`at ${clock(time)}`)),
    ...probes.flatMap(({ streak, failures, detail }, i) => {
      const wasAsked = streak > 0 || failures > 0;
      const row = failures > 0 ? `${failures} failed` : `${streak} passed`;
      return wasAsked ? [fact('', dim(`probe ${i + 1}: ${detail} (${row} in a row)`))] : [];
    }),
    ...log.map((text) => fact('', dim(`| ${text}`))),
  ];
}

function replicaTable(replicas: readonly ReplicaView[]): Block {
  const isGrouped = replicas.some(({ group }) => group !== ONLY_GROUP);
  return {
    kind: 'table',
    head: ['REPLICA', ...(isGrouped ? ['GROUP'] : []), 'PHASE', 'PROBES', 'DEPLOYMENT', 'WHERE', 'PRICE'],
    rows: replicas.map((replica) => replicaRow(replica, isGrouped)),
    shrink: isGrouped ? [0, 1, 5] : [0, 4],
  };
}

function replicaRow(replica: ReplicaView, isGrouped: boolean): Row {
  const { name, group, phase, ready, deployment, backend, region, instance, pricePerHour, detail } = replica;
  const cells: Cell[] = [
    plain(name),
    ...(isGrouped ? [plain(group)] : []),
    { text: phase, tone: ready ? 'good' : 'warn' },
    plain(marksOf(replica)),
    plain(`${deployment}`),
    plain([...new Set([backend, region, instance])].join(' ')),
    plain(money(pricePerHour)),
  ];
  return detail ? { cells, note: dim(detail) } : { cells };
}

function marksOf({ probes }: ReplicaView): string {
  return probes.map(({ mark }) => mark).join('') || '-';
}
