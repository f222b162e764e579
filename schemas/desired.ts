// Desired state: what one commit's files ask for, with every default filled in.
// A spec holds no secret in clear: values that could be secret are `Masked` (a keyed hash), and the real ones
// travel beside it, sealed. Equal values have equal masks, so plans and diffs still see that one changed.
import type { Problem } from './errors.ts';
import type { JsonObject } from './json.ts';

/** A stand-in for a sensitive value: `mask:` and the first 16 hex digits of its HMAC under the installation's key. */
export type Masked = string;

export interface ProbeSpec {
  readonly method: 'get' | 'post' | 'put' | 'delete' | 'patch' | 'head';
  /** Path and query on the replica; may hold `${{ env.X }}` before values are resolved. */
  readonly url: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly body: string | null;
  readonly timeoutMs: number;
  /** From the completion of one try to the start of the next. */
  readonly intervalMs: number;
  /** Successes in a row that make the replica ready. */
  readonly readyAfter: number;
  /** Stop probing once ready. */
  readonly untilReady: boolean;
}

export interface Range {
  readonly min: number;
  /** null: no upper bound. */
  readonly max: number | null;
}

/** What a machine must have. A member that is null was not written in the file and so is not required on `local`. */
export interface Requirement {
  readonly cpu: { readonly arch: 'x86' | 'arm' | null; readonly count: Range } | null;
  readonly memoryGib: Range | null;
  readonly diskGib: Range | null;
  readonly gpu: {
    readonly vendor: string | null;
    readonly names: readonly string[];
    readonly count: Range;
    readonly memoryGib: Range | null;
    readonly totalMemoryGib: Range | null;
    readonly computeCapability: string | null;
  } | null;
}

export interface Placement {
  readonly requirement: Requirement;
  readonly backends: readonly string[] | null;
  readonly regions: readonly string[] | null;
  readonly availabilityZones: readonly string[] | null;
  readonly instanceTypes: readonly string[] | null;
  readonly spotPolicy: 'spot' | 'on-demand' | 'auto';
  /** USD per hour. */
  readonly maxPrice: number | null;
  readonly reservation: string | null;
  readonly fleets: readonly string[] | null;
}

/** A folder or file of the repository, at the service's commit, put where the process finds it. */
export interface FileMount {
  /** Path inside the repository, '/'-separated, never leaving it. '' is the root of the repository. */
  readonly source: string;
  /** Where the process finds it; relative to its working directory unless absolute. */
  readonly target: string;
  /** Hash over (mode, path, bytes) of what `source` names at the commit; '' until the source has filled it in. */
  readonly hash: string;
}

/** What a process is made of: these fields, and nothing else, decide whether a running replica is current. */
export interface ProcessSpec {
  readonly image: string | null;
  readonly entrypoint: string | null;
  readonly commands: readonly string[];
  /** Values are masked in a stored spec. null: the file gives no value, the server's `secrets` must. */
  readonly env: { readonly [name: string]: Masked | string | null };
  readonly port: number;
  readonly user: string | null;
  readonly shell: string | null;
  readonly workingDir: string | null;
  readonly privileged: boolean;
  readonly docker: boolean;
  readonly python: string | null;
  readonly nvcc: boolean;
  readonly shmSizeGib: number | null;
  readonly volumes: readonly JsonObject[];
  readonly files: readonly FileMount[];
  readonly repos: readonly FileMount[];
  readonly registryAuth: { readonly username: string; readonly password: Masked | string } | null;
  /** Fields that shape the process but that no backend here reads yet, kept so that a change of them still counts. */
  readonly other: JsonObject;
}

export interface ScalingSpec {
  readonly metric: 'rps';
  readonly target: number;
  readonly windowMs: number;
  readonly upDelayMs: number;
  readonly downDelayMs: number;
}

export interface GroupSpec {
  readonly name: string;
  readonly replicas: { readonly min: number; readonly max: number };
  readonly scaling: ScalingSpec | null;
  readonly process: ProcessSpec;
  readonly placement: Placement;
}

/** When replicas lose a failed one for good; only a `retry` written as an object limits healing. */
export interface RetrySpec {
  readonly on: readonly ('no-capacity' | 'interruption' | 'error')[];
  readonly durationMs: number;
}

export interface ModelSpec {
  readonly name: string;
  readonly format: 'openai' | 'tgi';
  readonly prefix: string;
}

/** How a rollout of this service proceeds; from `trueup.yml`, else the defaults of `policy.ts`. */
export interface RolloutPolicy {
  /** Replicas above the wanted count while rolling. At least 1 where `unavailable` is 0. */
  readonly surge: number;
  /** Replicas that may be missing below the wanted count while rolling. */
  readonly unavailable: number;
  /** How long requests in flight may take to finish on a replica that leaves. */
  readonly drainMs: number;
  /** Observed time until an instance is there and takes a process. Absent: as usual for the backend. */
  readonly provisionMs?: number;
  /** Observed time for its image. Absent: as usual. */
  readonly pullMs?: number;
  /** Observed time from the process's start until its socket listens. */
  readonly startMs: number;
  /** Observed time from listening until every probe has met `ready_after`. */
  readonly readyMs: number;
  /** How long a deployment whose rollout is done may still fail by replicas that end. Absent or 0: not at all. */
  readonly bakeMs?: number;
  readonly onFailure: 'rollback' | 'hold';
  readonly quarantineMs: number;
  /** How long a replica may be unready before it is replaced. */
  readonly livenessMs: number;
}

/** One service with every default filled in: all that the decision reads. */
export interface ServiceSpec {
  readonly name: string;
  readonly port: number;
  readonly auth: boolean;
  readonly stripPrefix: boolean;
  readonly https: boolean | 'auto' | null;
  readonly gateway: boolean | string | null;
  readonly model: ModelSpec | null;
  readonly rateLimits: readonly JsonObject[];
  readonly probes: readonly ProbeSpec[];
  /** Never empty; a service without `groups` has one, named `0`. */
  readonly groups: readonly GroupSpec[];
  /** From SIGTERM to SIGKILL. */
  readonly stopMs: number;
  readonly policy: RolloutPolicy;
  /** Started by this alone, never by a commit. Absent: started at once. */
  readonly schedule?: { readonly cron: readonly string[] };
  /** Ends all replicas so long after the first of them began. Absent: no limit. */
  readonly maxDurationMs?: number;
  /** Ends what uses its GPUs less than this. Absent: nothing does. */
  readonly utilization?: { readonly minGpuPercent: number; readonly windowMs: number };
  readonly retry?: RetrySpec;
  /** How long a machine is kept for others once a replica has left it; null: for ever. Absent: it is not said. */
  readonly idleMs?: number | null;
  /** Only machines that are there already. */
  readonly isReuseOnly?: true;
  /** 0 to 100; absent: 0. */
  readonly priority?: number;
}

/** A service as one commit asks for it, ready to be stored. */
export interface DesiredService {
  readonly name: string;
  /** Path in the repository. */
  readonly file: string;
  /** The commit that last changed what this service asks for. */
  readonly commit: string;
  /** The normalised configuration, sparse: values equal to a default left out, sensitive ones masked. */
  readonly configuration: JsonObject;
  /** Names what was asked: 8 hex digits over the sparse configuration. */
  readonly revision: string;
  /** Group name -> shape: 12 hex digits over what its process is made of. */
  readonly shapes: { readonly [group: string]: string };
  /** Over the file's bytes, its profile, its policy and its resolved values: lifts a quarantine when it changes. */
  readonly digest: string;
  readonly spec: ServiceSpec;
  /** The real values behind the masks, sealed with the installation's key (`secrets.ts`). */
  readonly sealed: string;
}

/** What the sealed text of a service opens to. */
export interface ServiceValues {
  /** Group -> environment, every value resolved. */
  readonly env: { readonly [group: string]: { readonly [name: string]: string } };
  readonly registryPassword: { readonly [group: string]: string };
  /** The probes with headers, url and body resolved, in the order of the spec. */
  readonly probes: readonly ProbeSpec[];
  /** What of all this came from the server's secrets: never to be seen in logs. */
  readonly secrets?: readonly string[];
}

/** What the store keeps under a service's key from the side of git. */
export interface DesiredRecord {
  /** The last good spec; null when the service never had one, or its file is gone. */
  readonly service: DesiredService | null;
  /** True when a commit that parsed no longer has the service: it is to be removed. */
  readonly removed: boolean;
  /** What is wrong with the newest version of its file; the last good spec stays in force. */
  readonly problems: readonly Problem[];
  /** A newer version that may not be applied yet; until then what stands above is in force. Absent: none. */
  readonly pending?: Pending;
  /** Its file is gone; it goes on until the service of this name, which is the same one, has been rolled out. */
  readonly renamedTo?: string;
  /** Services that are called this now, and go on until it has been rolled out. Absent: none. */
  readonly renamedFrom?: readonly string[];
  /** `suspend` of `trueup.yml` holds it: nothing is rolled out; what runs goes on. Absent: no. */
  readonly suspended?: boolean;
}

/** Why a change that a commit asks for is not in force yet. */
export interface Pending {
  readonly reason: 'approval' | 'window' | 'budget' | 'deletion-budget' | 'suspended';
  /** The commit that asks for it, and the revision it asks for; null: its removal. */
  readonly commit: string;
  readonly revision: string | null;
  /** What is asked for; absent: its removal. */
  readonly service?: DesiredService;
  /** Epoch ms. */
  readonly since: number;
  /** Epoch ms; null: only a commit or a person ends it. */
  readonly until: number | null;
  readonly detail: string;
  /** Nobody has approved any commit that asks for it, so it belongs to the one that is to be approved now. */
  readonly unapproved?: true;
}
