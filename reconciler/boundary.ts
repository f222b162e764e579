// The places of a pass where a crash leaves the world and the record apart. The code calls one hook at each, so that
// a test can enumerate them and crash at every one.

export const BOUNDARIES = [
  'claimed',
  'observed',
  'decided',
  'intent-saved',
  'create:before',
  'create:after',
  'run:before',
  'run:after',
  'stop:before',
  'stop:after',
  'clear:before',
  'clear:after',
  'terminate:before',
  'terminate:after',
  'publish:before',
  'publish:after',
  'outcome-unsaved',
  'outcome-saved',
  'source-read',
  'desired-unsaved',
  'desired-saved',
] as const;

export type Boundary = (typeof BOUNDARIES)[number];

/** Kinds of steps, each with a boundary before and after. */
export type StepKind = Boundary extends infer Each
  ? Each extends `${infer Kind}:before`
    ? Kind
    : never
  : never;

/** Called at a boundary, with the key whose pass is there. Whatever it throws ends the pass on the spot. */
export type BoundaryHook = (boundary: Boundary, key: string) => void;

export const noBoundary: BoundaryHook = () => {};
