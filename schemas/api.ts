// What the daemon's HTTP API and the CLI's `--json` say. One place for both: the daemon builds these values,
// clients parse them. Members may be added, never renamed; instants are ISO 8601 by the store's clock, prices USD per hour.
import { z } from 'zod';

const list = <Item extends z.ZodType>(item: Item) => z.array(item).readonly();
const instant = z.iso.datetime();

const problemFields = {
  line: z.int(),
  column: z.int(),
  path: z.string(),
  message: z.string(),
  fix: z.string(),
  severity: z.enum(['error', 'warning']),
};

/** `Problem` of `errors.ts`, as it travels. */
export const problemSchema = z.object({ file: z.string(), ...problemFields });

export const validateReportSchema = z.object({
  files: list(
    z.object({
      path: z.string(),
      type: z.string().nullable(),
      ok: z.boolean(),
      configuration: z.record(z.string(), z.json()).optional(),
      problems: list(z.object(problemFields)),
    }),
  ),
});
export type ValidateReport = z.infer<typeof validateReportSchema>;

export const serviceStatusSchema = z.enum([
  'starting',
  'running',
  'rolling',
  'degraded',
  'failed',
  'invalid',
  'stopped',
  'scaled-to-zero',
  'scheduled',
  'suspended',
  'removing',
]);

export const waitingSchema = z.object({
  reason: z.string(),
  /** The replica or group that waits; '' for the service as a whole. */
  subject: z.string(),
  since: instant,
  /** null: only an event can end it. */
  until: instant.nullable(),
  detail: z.string(),
});
export type WaitingView = z.infer<typeof waitingSchema>;

export const probeViewSchema = z.object({
  /** × no success yet, ~ below `ready_after`, ✓ reached. */
  mark: z.enum(['×', '~', '✓']),
  streak: z.int(),
  readyAfter: z.int(),
  detail: z.string(),
});
export type ProbeView = z.infer<typeof probeViewSchema>;

export const replicaViewSchema = z.object({
  name: z.string(),
  group: z.string(),
  deployment: z.int(),
  phase: z.string(),
  ready: z.boolean(),
  probes: list(probeViewSchema),
  backend: z.string(),
  region: z.string(),
  /** The instance type; `local` for this machine. */
  instance: z.string(),
  pricePerHour: z.number(),
  /** What it waits for or what is wrong with it; '' when all is well. */
  detail: z.string(),
});
export type ReplicaView = z.infer<typeof replicaViewSchema>;

export const rolloutViewSchema = z.object({
  from: z.int().nullable(),
  to: z.int(),
  commit: z.string(),
  outcome: z.enum(['rolling', 'done', 'failed', 'superseded']),
  /** Why it failed; '' otherwise. */
  reason: z.string(),
  startedAt: instant,
  endedAt: instant.nullable(),
  /** Replicas of deployment `to` that are ready, of those wanted. */
  ready: z.int(),
  desired: z.int(),
});
export type RolloutView = z.infer<typeof rolloutViewSchema>;

export const serviceViewSchema = z.object({
  name: z.string(),
  status: serviceStatusSchema,
  /** null: nothing was deployed yet. */
  deployment: z.int().nullable(),
  revision: z.string().nullable(),
  desired: z.int(),
  ready: z.int(),
  url: z.string(),
  models: list(z.string()),
  pricePerHour: z.number(),
  replicas: list(replicaViewSchema),
  rollout: rolloutViewSchema.optional(),
  waiting: list(waitingSchema).optional(),
  problems: list(problemSchema),
});
export type ServiceView = z.infer<typeof serviceViewSchema>;

export const statusSchema = z.object({
  project: z.string(),
  /** null: no commit has been read yet. */
  commit: z.string().nullable(),
  services: list(serviceViewSchema),
  /** Problems that belong to no service: of policy, profiles, and files that name none. */
  problems: list(problemSchema),
  /** Why the repository cannot be read now; what runs goes on. */
  sourceFailure: z.object({ message: z.string(), since: instant }).nullable(),
  /** Services without a file that are kept, because removing them would exceed the deletion budget. */
  held: list(z.string()),
  /** Configurations that are read and listed, not reconciled. */
  others: list(z.object({ path: z.string(), type: z.string(), name: z.string().nullable() })),
});
export type Status = z.infer<typeof statusSchema>;

export const whySchema = z.object({
  service: z.string(),
  status: serviceStatusSchema,
  waiting: list(waitingSchema),
  /** What happens next, in one sentence. */
  next: z.string(),
  problems: list(problemSchema),
  /** The newest replica that failed, with the last lines it printed. */
  failure: z
    .object({
      replica: z.string(),
      deployment: z.int(),
      time: instant,
      reason: z.string(),
      log: list(z.string()),
    })
    .optional(),
});
export type Why = z.infer<typeof whySchema>;

export const effectSchema = z.enum(['route', 'scale', 'placement', 'replace']);
export type Effect = z.infer<typeof effectSchema>;

export const offerSchema = z.object({
  backend: z.string(),
  region: z.string(),
  instance: z.string(),
  resources: z.object({
    cpus: z.number(),
    arch: z.enum(['x86', 'arm']),
    memoryGib: z.number(),
    diskGib: z.number(),
    gpus: list(z.object({ name: z.string(), vendor: z.string(), memoryGib: z.number() })),
  }),
  spot: z.boolean(),
  price: z.number(),
  availability: z.enum(['unknown', 'available', 'idle', 'busy', 'no-quota', 'not-available']),
});

/** One RFC 6902 operation. */
export const patchOperationSchema = z.object({
  op: z.enum(['add', 'remove', 'replace', 'move', 'copy', 'test']),
  path: z.string(),
  from: z.string().optional(),
  value: z.json().optional(),
});
export type PatchOperation = z.infer<typeof patchOperationSchema>;

export const changeSchema = z.object({
  service: z.string(),
  change: z.enum(['create', 'update', 'delete', 'rename', 'keep']),
  /** Only of a rename: the name it had. */
  from: z.string().optional(),
  how: list(effectSchema),
  reason: z.string(),
  /** What changes in the configuration, deployed -> desired. */
  patch: list(patchOperationSchema),
  groups: list(
    z.object({
      name: z.string(),
      /** The cheapest few. */
      offers: list(offerSchema),
      totalOffers: z.int(),
      /** Of the group at its lowest count, by the cheapest offer. */
      price: z.number(),
    }),
  ),
});
export type Change = z.infer<typeof changeSchema>;

export const planSchema = z.object({
  /** What is planned; null for files of a working folder. */
  commit: z.string().nullable(),
  /** The commit in force; null when there is none. */
  base: z.string().nullable(),
  id: z.string().optional(),
  changes: list(changeSchema),
  price: z.object({ now: z.number(), steady: z.number(), peak: z.number() }),
  /** Names of services that would be removed. */
  deletions: list(z.string()),
  problems: list(problemSchema),
});
export type Plan = z.infer<typeof planSchema>;

/** The body of `POST /plan`: the files of a folder, paths relative to it. */
export const planRequestSchema = z.object({
  files: z.array(z.object({ path: z.string().min(1).max(4096), text: z.string() })).max(10_000),
});
export type PlanRequest = z.infer<typeof planRequestSchema>;

export const eventSchema = z.object({
  time: instant,
  seq: z.int(),
  project: z.string(),
  service: z.string(),
  event: z.string(),
  reason: z.string(),
  replica: z.string().optional(),
  deployment: z.int().optional(),
  commit: z.string().optional(),
});
export type EventView = z.infer<typeof eventSchema>;

export const logLineSchema = z.object({
  time: instant,
  replica: z.string(),
  stream: z.enum(['out', 'err']),
  text: z.string(),
});
export type LogLineView = z.infer<typeof logLineSchema>;

/** Every answer that is not 2xx. */
export const apiErrorSchema = z.object({
  /** What went wrong, with which thing. */
  detail: z.string(),
  /** What to do about it. */
  fix: z.string().optional(),
});
export type ApiError = z.infer<typeof apiErrorSchema>;
