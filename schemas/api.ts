// What the daemon's HTTP API and the CLI's `--json` say. One place for both: the daemon builds these values,
// clients parse them. Members may be added, never renamed; instants are ISO 8601 by the store's clock, prices USD per hour.
import { z } from 'zod';
import { aroundStatusSchema, aroundViewSchema } from './api-around.ts';
import { instant, list, waitingSchema } from './api-parts.ts';
import { planSchema, problemSchema } from './plan.ts';

export const validateReportSchema = z.object({
  files: list(
    z.object({
      path: z.string(),
      type: z.string().nullable(),
      ok: z.boolean(),
      configuration: z.record(z.string(), z.json()).optional(),
      problems: list(problemSchema.omit({ file: true })),
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
  /** What its file asks for, as far as it may be applied; null: nothing. Another one than `revision` until that is deployed. */
  asked: z.string().nullable().optional(),
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
  /** Fleets and volumes. */
  around: list(aroundViewSchema).default([]),
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
  /** Its name; of a fleet or volume as `fleet:pool`. */
  service: z.string(),
  status: z.union([serviceStatusSchema, aroundStatusSchema]),
  waiting: list(waitingSchema),
  /** What happens next, in one sentence. */
  next: z.string(),
  problems: list(problemSchema),
  /** The newest replica that failed, with the last lines it printed and what its probes had come to. */
  failure: z
    .object({
      replica: z.string(),
      deployment: z.int(),
      time: instant,
      reason: z.string(),
      log: list(z.string()),
      probes: list(z.object({ streak: z.int(), failures: z.int(), detail: z.string() })).optional(),
    })
    .optional(),
  /** Of a fleet or volume: itself, with who uses what of it. */
  around: aroundViewSchema.optional(),
});
export type Why = z.infer<typeof whySchema>;

/** The body of `POST /plan`: the files of a folder, paths relative to it. */
export const planRequestSchema = z.object({
  files: z.array(z.object({ path: z.string().min(1).max(4096), text: z.string() })).max(10_000),
  /** Path (from the root of the repository) -> git's name of what it holds (mode and object id, as `100644:5f3c…`): of everything `files:` and `repos:` mount. */
  objects: z.record(z.string(), z.string().regex(/^[0-7]{6}:[0-9a-f]{40}([0-9a-f]{24})?$/)).optional(),
  /** Keep the plan, so that an apply can name it. Needs the `plan` right. */
  keep: z.boolean().optional(),
  /** What a kept plan is for, as `owner/repo#12@5f3c…`: under which `GET /plans?label=` finds it again. */
  label: z.string().min(1).max(300).optional(),
});
export type PlanRequest = z.infer<typeof planRequestSchema>;

/** The answer of `GET /plans?label=`: the plans that were kept under this label, newest first, some of them at most. */
export const keptPlansSchema = z.object({
  plans: list(
    z.object({
      id: z.string(),
      label: z.string(),
      digest: z.string(),
      kept: instant,
      /** May have passed: then an apply refuses it. */
      expires: instant,
    }),
  ),
});
export type KeptPlans = z.infer<typeof keptPlansSchema>;

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

/** The body of `POST /applies`: approves a commit as a plan showed it. */
export const applyRequestSchema = z.object({
  commit: z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/),
  /** The id of a kept plan. */
  plan: z.string().min(1).max(64),
  /** How much dearer than the plan (steady, USD per hour) it may have become, as a fraction; default 0.05. */
  tolerance: z.number().min(0).max(10).optional(),
});
export type ApplyRequest = z.infer<typeof applyRequestSchema>;

/** Why an apply was refused. stale: it would do something else than the plan says. */
export const refusalSchema = z.enum([
  'not-gated',
  'unknown-commit',
  'not-newest',
  'unknown-plan',
  'expired',
  'stale',
  'dearer',
  'over-budget',
  'problems',
]);

/** The answer of `POST /applies`: 202 accepted, 409 refused. */
export const applyAnswerSchema = z.object({
  accepted: z.boolean(),
  commit: z.string(),
  /** Absent when accepted. */
  refusal: refusalSchema.optional(),
  /** In one sentence. */
  detail: z.string(),
  fix: z.string().optional(),
  /** What differs from the plan that was approved; empty when nothing does. */
  difference: list(z.object({ service: z.string(), was: z.string(), is: z.string() })),
  /** As it would be now. */
  plan: planSchema.optional(),
});
export type Refusal = z.infer<typeof refusalSchema>;
export type ApplyAnswer = z.infer<typeof applyAnswerSchema>;

/** The answer of `GET /capabilities`: what this server does, and what who asks may. */
export const capabilitiesSchema = z.object({
  version: z.string(),
  project: z.string(),
  /** auto: a commit is applied as soon as it is read; gated: it waits for `POST /applies`. */
  apply: z.enum(['auto', 'gated']),
  /** What it does at GitHub of its own accord. */
  github: z.object({ statuses: z.boolean() }),
  /** With those that are held by others: `apply` holds `plan`, `plan` holds `read`. */
  scopes: list(z.enum(['admin', 'read', 'plan', 'apply', 'call'])),
});
export type Capabilities = z.infer<typeof capabilitiesSchema>;

/** The body of `POST /login`. */
export const loginRequestSchema = z.object({
  /** What the issuer gave, for the audience that the server's rules name. */
  token: z.string().min(1).max(16_384),
});

/** The answer of `POST /login`: a token of the server, good until `expires`. Another login gives another. */
export const loginAnswerSchema = z.object({
  token: z.string(),
  expires: instant,
  /** As what it does is recorded under. */
  name: z.string(),
  scopes: list(z.enum(['read', 'plan', 'apply'])),
  projects: list(z.string()),
});
export type LoginAnswer = z.infer<typeof loginAnswerSchema>;

/** Every answer that is not 2xx. */
export const apiErrorSchema = z.object({
  /** What went wrong, with which thing. */
  detail: z.string(),
  /** What to do about it. */
  fix: z.string().optional(),
});
export type ApiError = z.infer<typeof apiErrorSchema>;
