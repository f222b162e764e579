// Fleets and volumes in words: how they are, who has what of them, what they wait for.
import type { AroundView, FleetView, MachineView, VolumeView } from '../../schemas/api-around.ts';
import {
  BLANK,
  type Block,
  type Cell,
  clock,
  dim,
  fact,
  line,
  money,
  plain,
  problemLines,
  type Row,
  strong,
  type Table,
  toneOf,
  waitingLine,
} from './cells.ts';
import { sizeText } from './offer-words.ts';

/** Below the services: a table of the fleets, one of the volumes. */
export function aroundTables(around: readonly AroundView[]): Block[] {
  const fleets = around.filter((each) => each.kind === 'fleet');
  const volumes = around.filter((each) => each.kind === 'volume');
  return [
    ...(fleets.length > 0 ? [BLANK, tableOf(FLEET_HEAD, fleets.map(fleetRow), [0])] : []),
    ...(volumes.length > 0 ? [BLANK, tableOf(VOLUME_HEAD, volumes.map(volumeRow), [4, 0, 2])] : []),
  ];
}

/** One of them, in detail. */
export function aroundBlocks(view: AroundView): Block[] {
  const { kind, name, status, waiting = [], problems } = view;
  return [
    line(0, strong(`${kind}:${name}`), { text: status, tone: toneOf(status) }),
    ...(view.file === null ? [] : [fact('file', plain(view.file))]),
    ...(view.kind === 'fleet' ? fleetFacts(view) : volumeFacts(view)),
    ...usersLine(view),
    ...waiting.map(waitingLine),
    ...problems.flatMap(problemLines),
    ...(view.kind === 'fleet' && view.machines.length > 0 ? [BLANK, machineTable(view.machines)] : []),
  ];
}

/** Who has what of it, and who waits for it. */
export function useLines(view: AroundView): Block[] {
  if (view.kind === 'volume') return [fact('held by', plain(holders(view))), ...usersLine(view)];
  return [...view.machines.map(machineLine), ...usersLine(view)];
}

/** What machines cost that no replica has: no service's price has that. */
export function unusedPrice(around: readonly AroundView[]): number {
  return around.reduce((total, each) => total + (each.kind === 'fleet' ? unusedOf(each) : 0), 0);
}

export function unusedOf({ machines }: FleetView): number {
  return machines.reduce((total, { guest, pricePerHour }) => total + (guest === null ? pricePerHour : 0), 0);
}

/** Used, and idle. */
export function countsOf({ machines }: FleetView): { readonly used: number; readonly idle: number } {
  return {
    used: machines.filter(({ guest }) => guest !== null).length,
    idle: machines.filter((machine) => isIdle(machine)).length,
  };
}

/** The one thing worth knowing of one that is not simply there; '' when it is. */
export function attentionTo({ waiting = [], problems }: AroundView): string {
  const [problem] = problems;
  if (problem) return `${problem.file}:${problem.line} ${problem.message}`;
  const [first] = waiting;
  if (!first) return '';
  return `${first.subject === '' ? '' : `${first.subject}: `}${first.detail || first.reason}`;
}

/** `web-1`, `creating for web-1`, `idle`, `ending`. */
export function whoseText({ guest, phase }: MachineView): string {
  if (guest) return phase === 'ready' ? guest.replica : `${phase} for ${guest.replica}`;
  return phase === 'ready' ? 'idle' : phase;
}

/** `100GB in aws (us-east-1)` without the size. */
export function placeOf({ backend, region, zone }: VolumeView): string {
  const inside = zone ?? region;
  return inside === '' ? backend : `${backend} (${inside})`;
}

export function sizeOf({ sizeGib }: VolumeView): string {
  return sizeGib === null ? '-' : sizeText(sizeGib);
}

/** `web-1, web-2`. */
export function holders({ heldBy }: VolumeView): string {
  return heldBy.map(({ replica }) => replica).join(', ') || 'nobody';
}

// Private

const FLEET_HEAD = ['FLEET', 'STATUS', 'MACHINES', 'USED', 'IDLE', 'KEPT', 'UNUSED'];
const VOLUME_HEAD = ['VOLUME', 'STATUS', 'WHERE', 'SIZE', 'HELD BY'];

function tableOf(head: readonly string[], rows: readonly Row[], shrink: readonly number[]): Table {
  return { kind: 'table', head, rows, shrink };
}

function rowOf(view: AroundView, cells: readonly Cell[]): Row {
  const { name, status } = view;
  const all = [strong(name), { text: status, tone: toneOf(status) }, ...cells];
  const note = attentionTo(view);
  return note ? { cells: all, note: dim(note) } : { cells: all };
}

function fleetRow(view: FleetView): Row {
  const { used, idle } = countsOf(view);
  const counts = [view.machines.length, used, idle, view.nodes.min].map((count) => plain(String(count)));
  return rowOf(view, [...counts, plain(money(unusedOf(view)))]);
}

function volumeRow(view: VolumeView): Row {
  return rowOf(view, [plain(placeOf(view)), plain(sizeOf(view)), plain(holders(view))]);
}

function fleetFacts(view: FleetView): Block[] {
  const { used, idle } = countsOf(view);
  const { min, max } = view.nodes;
  const most = max === null ? 'as many as are asked for' : `at most ${max}`;
  return [
    fact('machines', plain(`${view.machines.length}: ${used} used, ${idle} idle`)),
    fact('nodes', plain(`${min} kept, ${most}`)),
    fact('unused', plain(money(unusedOf(view)))),
  ];
}

function volumeFacts(view: VolumeView): Block[] {
  return [
    fact('where', plain(placeOf(view))),
    fact('size', plain(sizeOf(view))),
    ...(view.id === null ? [] : [fact('id', plain(view.id))]),
    fact('held by', plain(holders(view))),
  ];
}

function usersLine({ services }: AroundView): Block[] {
  const names = services.map(({ name, waits }) => (waits ? `${name} (waits)` : name));
  return [fact('named by', plain(names.join(', ') || 'no service'))];
}

function machineLine(machine: MachineView): Block {
  const about = [idleText(machine), machine.detail].filter(Boolean).join('; ');
  return fact(
    'machine',
    plain(`${machine.name}: ${whoseText(machine)}`),
    ...(about ? [dim(`(${about})`)] : []),
  );
}

function isIdle({ phase, guest }: MachineView): boolean {
  return phase === 'ready' && guest === null;
}

function idleText({ idleSince, idleUntil }: MachineView): string {
  if (idleSince === null) return '';
  return `since ${clock(idleSince)}${idleUntil ? `, until ${clock(idleUntil)}` : ', kept'}`;
}

function machineTable(machines: readonly MachineView[]): Table {
  const rows = machines.map((machine): Row => {
    const { name, guest, phase, backend, region, instance, pricePerHour, detail } = machine;
    const cells: Cell[] = [
      plain(name),
      isIdle(machine) ? dim('idle') : { text: phase, tone: phase === 'ready' ? 'good' : 'warn' },
      plain(guest?.replica ?? '-'),
      plain([...new Set([backend, region, instance])].join(' ')),
      plain(money(pricePerHour)),
    ];
    const note = [idleText(machine) && `idle ${idleText(machine)}`, detail].filter(Boolean).join('; ');
    return note ? { cells, note: dim(note) } : { cells };
  });
  return tableOf(['MACHINE', 'PHASE', 'USED BY', 'WHERE', 'PRICE'], rows, [3, 0, 2]);
}
