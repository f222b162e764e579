// What several answers of the API have in common.
import { z } from 'zod';

export const list = <Item extends z.ZodType>(item: Item) => z.array(item).readonly();

/** ISO 8601, by the store's clock. */
export const instant = z.iso.datetime();

export const waitingSchema = z.object({
  reason: z.string(),
  /** The replica, group or machine that waits; '' for the whole. */
  subject: z.string(),
  since: instant,
  /** null: only an event can end it. */
  until: instant.nullable(),
  detail: z.string(),
});
export type WaitingView = z.infer<typeof waitingSchema>;
