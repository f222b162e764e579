// A plan as a value: what would change, where it would run, what it would cost. Made by `reconciler/plan`, kept by the
// server under an id, read by people, by the Action and by whoever takes `--json`.
// Prices are USD per hour unless a member says otherwise; a month has 730 hours. Members may be added, never renamed.
import { z } from 'zod';

const list = <Item extends z.ZodType>(item: Item) => z.array(item).readonly();

/** Hours in a month, as clouds bill it: 8760 / 12. */
export const HOURS_PER_MONTH = 730;

export const problemSchema = z.object({
  file: z.string(),
  line: z.int(),
  column: z.int(),
  path: z.string(),
  message: z.string(),
  fix: z.string(),
  severity: z.enum(['error', 'warning']),
});

export const effectSchema = z.enum(['route', 'scale', 'placement', 'replace']);
export type Effect = z.infer<typeof effectSchema>;

export const offerSchema = z.object({
  backend: z.string(),
  region: z.string(),
  /** The instance type; `local` for this machine. */
  instance: z.string(),
  resources: z.object({
    cpus: z.number(),
    arch: z.enum(['x86', 'arm']),
    memoryGib: z.number(),
    /** Of a configurable disk: the smallest that does. */
    diskGib: z.number(),
    gpus: list(z.object({ name: z.string(), vendor: z.string(), memoryGib: z.number() })),
  }),
  spot: z.boolean(),
  price: z.number(),
  availability: z.enum(['unknown', 'available', 'idle', 'busy', 'no-quota', 'not-available']),
  /** The fleet whose machine it is, or would be. Absent: it is bought for one replica alone. */
  fleet: z.string().optional(),
});

/** One RFC 6902 operation. */
export const patchOperationSchema = z.object({
  op: z.enum(['add', 'remove', 'replace', 'move', 'copy', 'test']),
  path: z.string(),
  from: z.string().optional(),
  value: z.json().optional(),
});
export type PatchOperation = z.infer<typeof patchOperationSchema>;

/** Now -> when it has settled (at the lowest count, and at the highest) -> the most at any moment of the rollout. */
export const priceSchema = z.object({
  now: z.number(),
  /** At the lowest count of every group. */
  steady: z.number(),
  /** At the highest count of every group. */
  steadyMax: z.number(),
  peak: z.number(),
});
export type Price = z.infer<typeof priceSchema>;

/** One requirement that alone keeps offers out: without it, `rows` more would match. */
export const exclusionSchema = z.object({
  /** `gpu.name`, `gpu.memory`, `gpu.count`, `gpu.total_memory`, `gpu.compute_capability`, `gpu.vendor`, `cpu`, `cpu.arch`, `memory`, `disk`, `spot_policy`, `max_price`, `regions`, `availability_zones`, `instance_types`, `backends`, `availability`, `reservation`, `privileged`, `volumes`, `fleets`. Several that must give way together have ` + ` between. */
  requirement: z.string(),
  rows: z.int(),
  /** In words: what would do ("`max_price` ≥ 2.10", "us-east-1"); '' when nothing simple would. */
  nearest: z.string(),
});
export type Exclusion = z.infer<typeof exclusionSchema>;

export const groupPlanSchema = z.object({
  name: z.string(),
  replicas: z.object({ min: z.int(), max: z.int() }),
  /** The cheapest few that are for sale now. */
  offers: list(offerSchema),
  totalOffers: z.int(),
  /** Of one replica by the cheapest offer; null: there is none, and every price it is part of leaves it out. */
  pricePerReplica: z.number().nullable(),
  /** Of the group at its lowest count, by the cheapest offer. */
  price: z.number(),
  /** Why there is no offer, or which would come with one requirement less: nearest miss first. */
  excluded: list(exclusionSchema),
});
export type GroupPlan = z.infer<typeof groupPlanSchema>;

/** One changed field: `env.MODEL`, `replicas`, `commands[0]`. Values are as written, secrets masked; null: not there. */
export const fieldChangeSchema = z.object({
  path: z.string(),
  from: z.json().nullable(),
  to: z.json().nullable(),
  how: effectSchema,
});
export type FieldChange = z.infer<typeof fieldChangeSchema>;

/** What a reader must see before anything else, worst first. */
export const planWarningSchema = z.object({
  kind: z.enum([
    'source',
    'deletes',
    'over-budget',
    'over-max-price',
    'no-offer',
    'capacity',
    'cannot-surge',
    'quarantined',
    'policy',
  ]),
  /** '' for the plan as a whole. */
  service: z.string(),
  message: z.string(),
  fix: z.string(),
});
export type PlanWarning = z.infer<typeof planWarningSchema>;

/** Why a change would not be applied as soon as it is merged. */
export const holdSchema = z.object({
  reason: z.enum(['approval', 'window', 'budget', 'deletion-budget', 'suspended']),
  detail: z.string(),
  /** ISO 8601; null: only a person or a commit ends it. */
  until: z.string().nullable(),
});
export type Hold = z.infer<typeof holdSchema>;

export const changeSchema = z.object({
  service: z.string(),
  change: z.enum(['create', 'update', 'delete', 'rename', 'keep']),
  /** Only of a rename: the name it had. */
  from: z.string().optional(),
  how: list(effectSchema),
  reason: z.string(),
  /** What changes in the sparse configuration, deployed -> desired. */
  patch: list(patchOperationSchema),
  /** The same for people, with old and new value. */
  fields: list(fieldChangeSchema),
  groups: list(groupPlanSchema),
  price: priceSchema,
  /** What would hold it back; absent: nothing. */
  hold: holdSchema.optional(),
  /** In words, of a service with `schedule` that changes: when it starts next, and what ends it. */
  schedule: z.string().optional(),
});
export type Change = z.infer<typeof changeSchema>;

/** A fleet or volume: what becomes of it, in words. */
export const aroundChangeSchema = z.object({
  kind: z.enum(['fleet', 'volume']),
  name: z.string(),
  /** A volume is made or kept, whatever its file says: there is no other change of one that is there. */
  change: z.enum(['create', 'update', 'delete', 'keep']),
  text: z.string(),
  /** Of a fleet: its machines that no service's price has. */
  price: priceSchema.optional(),
});
export type AroundChange = z.infer<typeof aroundChangeSchema>;

export const planSchema = z.object({
  /** What is planned; null for files of a working folder. */
  commit: z.string().nullable(),
  /** The commit in force; null when there is none. */
  base: z.string().nullable(),
  /** Under which the server keeps it, and an apply names it; absent: it was not kept. */
  id: z.string().optional(),
  /** 64 hex digits over (service -> revision and shapes) applied, the same desired, and the policy; nothing live. */
  digest: z.string(),
  changes: list(changeSchema),
  /** Fleets and volumes, those that stay as they are as well; absent: there are none. */
  around: list(aroundChangeSchema).optional(),
  /** Of all services, and of machines that fleets keep beyond what those use. */
  price: priceSchema,
  /** Names of services that would be removed. */
  deletions: list(z.string()),
  warnings: list(planWarningSchema),
  /** Backends that could not say what they sell, and are left out. */
  failures: list(z.object({ backend: z.string(), message: z.string() })),
  /** Where prices come from: asked now, or from a price list of that date (ISO 8601 day), which is never a live price. */
  prices: z.object({ source: z.enum(['live', 'catalog', 'snapshot']), date: z.string().nullable() }),
  /** ISO 8601; until when the server keeps it. */
  expires: z.string().optional(),
  problems: list(problemSchema),
});
export type Plan = z.infer<typeof planSchema>;
