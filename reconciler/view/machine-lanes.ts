// The machines of fleets in the picture of a run: a lane for each, with whoever had it and while nobody did.
import type { MachineLane, MachineStretch } from '../simulate/recorder.ts';
import { type Canvas, columnsOf, drawn, row } from './canvas.ts';
import { BLANK, type Block, type Cell, dim, plain, strong, type Tone } from './cells.ts';

export function machineRows(canvas: Canvas, lanes: readonly MachineLane[]): Block[] {
  const byFleet = [...Map.groupBy(lanes, ({ fleet }) => fleet)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return byFleet.flatMap(([fleet, own]) => {
    const ordered = own.toSorted((a, b) => a.number - b.number);
    const shown = ordered.slice(0, MOST_LANES);
    const left = ordered.length - shown.length;
    return [
      BLANK,
      { kind: 'drawing', cells: [strong(`fleet ${fleet}`)] } as const,
      ...shown.map((lane) => row(canvas, plain(lane.machine), laneCells(canvas, lane))),
      ...(left > 0 ? [row(canvas, dim(`and ${left} more`), [])] : []),
    ];
  });
}

/** Only of what is to be seen. */
export function machineLegend(lanes: readonly MachineLane[]): Block[] {
  const seen = new Set(lanes.flatMap(({ stretches }) => stretches.map(({ phase }) => phase)));
  const cells = Object.entries(LOOKS).flatMap(([phase, { sign, tone, word }]): Cell[] =>
    seen.has(phase as MachineStretch['phase']) ? [plain('  '), { text: sign, tone }, dim(` ${word}`)] : [],
  );
  return cells.length > 0 ? [{ kind: 'drawing', cells }] : [];
}

// Private

/** As of services: more than these are not looked at one by one. */
const MOST_LANES = 24;

const LOOKS: {
  readonly [phase in MachineStretch['phase']]: {
    readonly sign: string;
    readonly tone: Tone;
    readonly word: string;
  };
} = {
  creating: { sign: '·', tone: 'dim', word: 'being made' },
  used: { sign: '━', tone: 'good', word: 'used' },
  idle: { sign: '┄', tone: 'warn', word: 'idle' },
  ending: { sign: '‥', tone: 'dim', word: 'given back' },
};

/** `web-1━━━━┄┄┄┄web-3━━`: a name stands at the beginning of what is its own, where there is room for it. */
function laneCells(canvas: Canvas, { stretches }: MachineLane): Cell[] {
  const shown = columnsOf(canvas, stretches);
  const cells = shown.map((stretch): Cell => {
    const look = stretch && LOOKS[stretch.phase];
    return look ? { text: look.sign, tone: look.tone } : plain(' ');
  });
  for (const [column, stretch] of shown.entries()) {
    if (stretch?.phase !== 'used' || stretch === shown[column - 1]) continue;
    const length = shown.filter((each) => each === stretch).length;
    const name = stretch.guest ?? '';
    if (name.length < length)
      for (const [at, letter] of [...name].entries()) cells[column + at] = plain(letter);
  }
  return drawn(cells);
}
