// What is around services, as the API tells of it: fleets with their machines, volumes with who holds them.
import { z } from 'zod';
import { instant, list, waitingSchema } from './api-parts.ts';
import { problemSchema } from './plan.ts';

/**
 * creating: on its way · ready: as asked · waiting: it cannot be had now · invalid: its file is, the last good one stays ·
 * lost (a volume): gone, with what was on it · removing (a fleet): its file is gone, its machines end once nobody uses
 * them · kept (a volume): its file is gone, and it stays
 */
export const aroundStatusSchema = z.enum([
  'creating',
  'ready',
  'waiting',
  'invalid',
  'lost',
  'removing',
  'kept',
]);
export type AroundStatus = z.infer<typeof aroundStatusSchema>;

export const guestViewSchema = z.object({ service: z.string(), replica: z.string() });

export const machineViewSchema = z.object({
  name: z.string(),
  /** creating, ready, clearing (what ran there is ended) or ending (it is given back). */
  phase: z.string(),
  /** Who has it; null: nobody. */
  guest: guestViewSchema.nullable(),
  backend: z.string(),
  region: z.string(),
  instance: z.string(),
  pricePerHour: z.number(),
  /** Since when nobody has it; null: it is used, or not there yet. */
  idleSince: instant.nullable(),
  /** When it is given back if nobody takes it until then; null: it is not. */
  idleUntil: instant.nullable(),
  /** What it waits for or what is wrong with it; '' when all is well. */
  detail: z.string(),
});
export type MachineView = z.infer<typeof machineViewSchema>;

const common = {
  name: z.string(),
  status: aroundStatusSchema,
  /** Where it is declared; null: nowhere, or not any more. */
  file: z.string().nullable(),
  /** Services that name it; `waits`: for what they cannot have of it. */
  services: list(z.object({ name: z.string(), waits: z.boolean() })),
  waiting: list(waitingSchema).optional(),
  problems: list(problemSchema),
};

export const fleetViewSchema = z.object({
  kind: z.literal('fleet'),
  ...common,
  /** Kept, whether or not anybody uses them; and the most there may be (null: as many as are asked for). */
  nodes: z.object({ min: z.int(), max: z.int().nullable() }),
  machines: list(machineViewSchema),
});
export type FleetView = z.infer<typeof fleetViewSchema>;

export const volumeViewSchema = z.object({
  kind: z.literal('volume'),
  ...common,
  /** creating, ready or lost. */
  phase: z.string(),
  backend: z.string(),
  region: z.string(),
  /** null: not known, or any. */
  zone: z.string().nullable(),
  /** null: as large as it was made elsewhere. */
  sizeGib: z.number().nullable(),
  /** The cloud's; null: it has none yet. */
  id: z.string().nullable(),
  /** Replicas whose machines have it. */
  heldBy: list(guestViewSchema),
});
export type VolumeView = z.infer<typeof volumeViewSchema>;

export const aroundViewSchema = z.discriminatedUnion('kind', [fleetViewSchema, volumeViewSchema]);
export type AroundView = z.infer<typeof aroundViewSchema>;
