// A simulated run as a picture: time from left to right, one lane for each replica, and above them what was done to the
// world.
import type { Lane, LanePhase, MachineLane, Stretch } from '../simulate/recorder.ts';
import type { Spell } from '../simulate/weather.ts';
import { type Canvas, columnOf, columnsOf, drawn, MARGIN, row } from './canvas.ts';
import { BLANK, type Block, type Cell, dim, plain, strong, type Tone } from './cells.ts';
import { machineLegend, machineRows } from './machine-lanes.ts';

/** All times in ms from the beginning. */
export interface Timeline {
  readonly durationMs: number;
  readonly commits: readonly { readonly number: number; readonly atMs: number }[];
  readonly spells: readonly Spell[];
  readonly deaths: readonly number[];
  readonly lanes: readonly Lane[];
  /** Machines of fleets. Absent: none. */
  readonly machines?: readonly MachineLane[];
  /** All that there were, with lanes or without. */
  readonly services: readonly string[];
}

export function timelineBlocks(timeline: Timeline, width: number): Block[] {
  const { spells, deaths, commits, services, machines = [] } = timeline;
  const lanes = labelled(timeline.lanes);
  const names = [...lanes.map(({ name }) => name), ...machines.map(({ machine }) => machine)];
  const label = Math.min(MOST_LABEL, Math.max(LEAST_LABEL, ...names.map((name) => name.length)));
  const canvas: Canvas = {
    label,
    columns: Math.max(20, Math.min(width, MOST_WIDTH) - label - MARGIN - 1),
    durationMs: timeline.durationMs,
  };
  return [
    rulerOf(canvas),
    row(
      canvas,
      dim('commits'),
      marksOf(
        canvas,
        commits.map(({ atMs, number }) => [atMs, String(number)]),
        'strong',
      ),
    ),
    ...spells.filter(({ fromMs }) => fromMs < canvas.durationMs).map((spell) => spellRow(canvas, spell)),
    ...(deaths.length > 0
      ? [
          row(
            canvas,
            dim('reconciler'),
            marksOf(
              canvas,
              deaths.map((at) => [at, DEAD]),
              'bad',
            ),
          ),
        ]
      : []),
    ...services.flatMap((service) =>
      serviceRows(
        canvas,
        service,
        lanes.filter((lane) => lane.service === service),
      ),
    ),
    ...machineRows(canvas, machines),
    ...(lanes.length + machines.length === 0 ? [] : [BLANK]),
    ...(lanes.length === 0 ? [] : [legend(canvas, lanes)]),
    ...machineLegend(machines),
  ];
}

// Private

const LEAST_LABEL = 'reconciler'.length;
const MOST_LABEL = 20;
/** Wider pictures show no more, and are harder to follow. */
const MOST_WIDTH = 120;
/** More lanes than this are not looked at one by one. */
const MOST_LANES = 24;
const DEAD = '×';

const LOOKS: {
  readonly [phase in LanePhase]: { readonly sign: string; readonly tone: Tone; readonly word: string };
} = {
  creating: { sign: '·', tone: 'dim', word: 'creating' },
  starting: { sign: '░', tone: 'warn', word: 'starting' },
  probing: { sign: '▒', tone: 'warn', word: 'probing' },
  ready: { sign: '█', tone: 'good', word: 'ready' },
  unready: { sign: '▄', tone: 'bad', word: 'not ready' },
  lost: { sign: '▁', tone: 'bad', word: 'lost' },
  draining: { sign: '▂', tone: 'plain', word: 'draining' },
  stopping: { sign: '‥', tone: 'dim', word: 'ending' },
  terminating: { sign: '‥', tone: 'dim', word: 'ending' },
};

type NamedLane = Lane & { readonly name: string };

/** `web-1 @2`; with its group where there are several. */
function labelled(lanes: readonly Lane[]): NamedLane[] {
  const groups = Map.groupBy(lanes, ({ service }) => service);
  const isOnly = ({ service, group }: Lane) => groups.get(service)?.every((lane) => lane.group === group);
  return lanes.map((lane) => {
    const group = isOnly(lane) ? '' : ` ${lane.group}`;
    return { ...lane, name: `${lane.replica}${group} @${lane.deployment}` };
  });
}

function serviceRows(canvas: Canvas, service: string, lanes: readonly NamedLane[]): Block[] {
  const ordered = lanes.toSorted((a, b) => a.number - b.number);
  const shown = ordered.slice(0, MOST_LANES);
  const left = ordered.length - shown.length;
  return [
    BLANK,
    { kind: 'drawing', cells: [strong(service)] },
    ...(lanes.length === 0
      ? [{ kind: 'drawing', cells: [dim(`${' '.repeat(MARGIN)}no replica`)] } as const]
      : []),
    ...shown.map((lane) => row(canvas, plain(lane.name), laneCells(canvas, lane))),
    ...(left > 0 ? [row(canvas, dim(`and ${left} more`), [])] : []),
  ];
}

/** Each column shows what it mostly was; where a replica died by itself, that. */
function laneCells(canvas: Canvas, { stretches }: Lane): Cell[] {
  const deathAt = deathOf(stretches, canvas.durationMs);
  const dead = deathAt === null ? -1 : columnOf(canvas, deathAt);
  const cells = columnsOf(canvas, stretches).map((stretch, column): Cell => {
    if (column === dead) return { text: DEAD, tone: 'bad' };
    return stretch ? { text: LOOKS[stretch.phase].sign, tone: LOOKS[stretch.phase].tone } : plain(' ');
  });
  return drawn(cells);
}

const ALIVE: ReadonlySet<LanePhase> = new Set([
  'creating',
  'starting',
  'probing',
  'ready',
  'unready',
  'lost',
]);

/** When it ended without having been told to; null: it did not. */
function deathOf(stretches: readonly Stretch[], endMs: number): number | null {
  const last = stretches.findLastIndex(({ phase }) => ALIVE.has(phase));
  const [alive, next] = [stretches[last], stretches[last + 1]];
  if (!alive || alive.to >= endMs) return null;
  return next === undefined || next.phase === 'terminating' ? alive.to : null;
}

function marksOf(
  canvas: Canvas,
  marks: readonly (readonly [atMs: number, text: string])[],
  tone: Tone,
): Cell[] {
  let text = '';
  for (const [atMs, mark] of marks)
    text = text.padEnd(columnOf(canvas, atMs)) + (columnOf(canvas, atMs) < text.length ? '' : mark);
  return [{ text, tone }];
}

/** `━ no-capacity of h100 ━━`, as long as it lasts; only its kind, or that beside it, where there is less room. */
function spellRow(canvas: Canvas, { backend, kind, about, fromMs, toMs }: Spell): Block {
  const from = columnOf(canvas, fromMs);
  const length = Math.max(1, columnOf(canvas, Math.min(toMs, canvas.durationMs)) - from);
  const room = Math.max(length - 4, canvas.columns - from - length);
  const text = `${kind}${about}`.length < room ? `${kind}${about}` : kind;
  const isLabelled = length > text.length + 4;
  const bar = isLabelled ? `━ ${text} ${'━'.repeat(length - text.length - 3)}` : '━'.repeat(length);
  const beside = isLabelled ? '' : canvas.columns - from - length > text.length ? ` ${text}` : '';
  const before = !isLabelled && beside === '' ? `${kind} `.padStart(from) : ' '.repeat(from);
  return row(canvas, dim(backend), [dim(before), { text: bar, tone: 'warn' }, dim(beside)]);
}

const STEPS_S = [
  1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 604_800,
];
/** Ticks nearer than this would run into each other. */
const LEAST_TICK = 9;

function rulerOf(canvas: Canvas): Block {
  const seconds = canvas.durationMs / 1000;
  const step = STEPS_S.find((each) => (each / seconds) * canvas.columns >= LEAST_TICK) ?? seconds;
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step);
  let text = '';
  for (const tick of ticks) {
    const column = columnOf(canvas, tick * 1000);
    const mark = `╷${clockText(tick)}`;
    if (column + mark.length <= canvas.columns + 1) text = text.padEnd(column) + mark;
  }
  return row(canvas, dim(''), [dim(text)]);
}

/** `5:00`, `1:05:00`. */
export function clockText(seconds: number): string {
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number: number) => String(number).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Only of what is to be seen. */
function legend({ durationMs }: Canvas, lanes: readonly Lane[]): Block {
  const seen = new Set(lanes.flatMap(({ stretches }) => stretches.map(({ phase }) => LOOKS[phase].word)));
  const looks = Object.values(LOOKS).filter(
    ({ word }, index, all) => seen.has(word) && all.findIndex((each) => each.word === word) === index,
  );
  const cells = looks.flatMap(({ sign, tone, word }): Cell[] => [{ text: sign, tone }, dim(` ${word}  `)]);
  const hasDied = lanes.some(({ stretches }) => deathOf(stretches, durationMs) !== null);
  const died: Cell[] = hasDied ? [{ text: DEAD, tone: 'bad' }, dim(' died')] : [];
  return { kind: 'drawing', cells: [plain(' '.repeat(MARGIN)), ...cells, ...died] };
}
