// The port every cloud, pool and machine is behind. All operations are idempotent; failures are thrown as `Failure`.
import type { Endpoint, Instance, ProcessStatus, Tags } from '../schemas/actual.ts';
import type { Placement, ProcessSpec } from '../schemas/desired.ts';
import type { Offer } from '../schemas/offer.ts';
import type { Exclusion } from '../schemas/plan.ts';
import type { Disk, Mounted } from '../schemas/volume.ts';

export interface Capabilities {
  readonly spot: boolean;
  readonly volumes: boolean;
  readonly containers: boolean;
  readonly processes: boolean;
  readonly privileged: boolean;
  /** An instance is a machine that may outlive what runs on it, and run something else after it. */
  readonly machines: boolean;
}

/** The complete wish for one instance. It is stored before it is sent, and sent again unchanged after any doubt. */
export interface CreateRequest {
  readonly tags: Tags;
  readonly offer: Offer;
}

/** What to run on an instance. Holds secrets: lives in memory and in the pipe to the host only. */
export interface ProcessRequest {
  /** Whose process it is: not always who the machine was made for. */
  readonly replica: Pick<Tags, 'service' | 'group' | 'replica' | 'attempt' | 'shape' | 'deployment'>;
  readonly spec: ProcessSpec;
  readonly env: { readonly [name: string]: string };
  readonly registryPassword: string | null;
  /** Volumes to attach before it starts; one that another machine holds is refused as `transient`. */
  readonly volumes?: readonly Mounted[];
  /** From SIGTERM to SIGKILL. */
  readonly stopMs: number;
  /** Gives the tree of one `files`/`repos` mount: path below the mount ('' for a single file), POSIX mode, bytes. */
  readonly mounts: readonly {
    readonly target: string;
    readonly files: () => AsyncIterable<{
      readonly path: string;
      readonly mode: number;
      readonly bytes: Uint8Array;
    }>;
  }[];
  /** Texts that must not appear in logs: each becomes `***` before a line is stored. */
  readonly secrets: readonly string[];
}

export interface LogLine {
  readonly at: number;
  readonly stream: 'out' | 'err';
  readonly text: string;
}

/**
 * How the reconciler reaches what runs on an instance: the process of the replica and attempt that the instance's tags
 * name; where they are those of the machine itself, whoever's it is. Of anybody else's it shows nothing, and does nothing
 * to it: an order that comes late, after the machine was lent to somebody else, harms nobody.
 */
export interface Transport {
  /** Starts the process unless this instance already has (or had) it: safe to repeat. `transient` while another's is there. */
  run(request: ProcessRequest): Promise<void>;
  status(): Promise<ProcessStatus>;
  /** Begins SIGTERM, `stopMs`, SIGKILL and returns at once; repeat until `status` is `exited` or `absent`. */
  stop(): Promise<void>;
  /**
   * Removes what has ended, and all that it left behind, its log too, so that another may be run; does nothing while it
   * runs. There wherever `machines` is.
   */
  clear?(): Promise<void>;
  endpoint(): Endpoint | null;
  /**
   * The newest `tail` lines, oldest first; with `follow`, then every further one until `signal` aborts, or what printed
   * them is cleared away.
   */
  logs(options: {
    readonly tail: number;
    readonly follow: boolean;
    readonly signal?: AbortSignal;
  }): AsyncIterable<LogLine>;
}

/** Volumes of a cloud. All operations are idempotent; failures are thrown as `Failure`. */
export interface Disks {
  /** The identical request again gives the same volume. */
  create(request: DiskRequest): Promise<Disk>;
  /** null: definitely not there. */
  get(id: string): Promise<Disk | null>;
  /** Every volume tagged with `owner`. */
  list(owner: string): Promise<readonly Disk[]>;
}

export interface DiskRequest {
  readonly tags: NonNullable<Disk['tags']>;
  readonly region: string;
  readonly zone: string | null;
  readonly sizeGib: number;
}

export interface Backend {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** Why this process cannot run here at all, with the fix; null when it can. Pure: looks at nothing but the spec. */
  refuses(process: ProcessSpec): { readonly message: string; readonly fix: string } | null;
  /** What would be sold now for `placement`, cheapest first; ties by region, instance. */
  offers(placement: Placement): Promise<readonly Offer[]>;
  /** Of a placement that nothing here satisfies: which requirements must give way, nearest miss first. Absent: it cannot say. */
  misses?(placement: Placement): Promise<readonly Exclusion[]>;
  /** The identical request again gives the same instance. Throws `no-capacity`, `quota`, `invalid` … */
  create(request: CreateRequest): Promise<Instance>;
  /** null: definitely not there. */
  get(id: string): Promise<Instance | null>;
  /** Every instance tagged with `owner`, in any status. */
  list(owner: string): Promise<readonly Instance[]>;
  /** Begins the end of an instance and its process. Callers repeat it until it throws `not-found`. */
  terminate(id: string): Promise<void>;
  transport(instance: Instance): Transport;
  /** Absent: it has no volumes. */
  readonly disks?: Disks;
  /**
   * Calls `changed` with the tags of an instance of which something may have changed, and with those of whose process is
   * on it where that is another's. Only a hint: state is read again.
   */
  watch(changed: (tags: Tags) => void): () => void;
  close(): Promise<void>;
}
