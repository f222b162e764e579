// Services for measuring: files as people write them, and the state each has once it runs as asked.
import type { Backend } from '../../backends/backend.ts';
import { decide } from '../../reconciler/plan/decide.ts';
import type { Vault } from '../../reconciler/secrets.ts';
import { assemble } from '../../reconciler/source/assemble.ts';
import { parseFile } from '../../reconciler/source/parse.ts';
import type { Actual, Instance, ProcessStatus, Tags } from '../../schemas/actual.ts';
import type { DesiredRecord } from '../../schemas/desired.ts';
import { DEFAULT_POLICY, rolloutPolicy } from '../../schemas/policy.ts';
import type { Replica, ServiceState } from '../../schemas/rollout.ts';
import { LOCAL } from '../plan/samples.ts';

export const PROJECT = 'main';
export const OWNER = 'bench';

export function nameOf(index: number): string {
  return `service-${index}`;
}

/** 100 to a folder. */
export function pathOf(index: number): string {
  return `team-${Math.floor(index / 100)}/${nameOf(index)}.dstack.yml`;
}

/** A service of one replica with a probe, in the length people write. `release` is what a commit changes. */
export function fileOf(index: number, release = 1): string {
  return `type: service
name: ${nameOf(index)}

env:
  - RELEASE=${release}
  - LOG_LEVEL=info
commands:
  - exec python -m http.server $PORT

port: 8000
auth: false
replicas: 1
probes:
  - type: http
    url: /health
    interval: 30s
    timeout: 5s
    ready_after: 2
`;
}

export function desiredOf(index: number, vault: Vault): DesiredRecord {
  const file = parseFile({ path: pathOf(index), text: fileOf(index) }, { root: '', profiles: null });
  const assembled = assemble(file, {
    commit: 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00',
    policy: rolloutPolicy(DEFAULT_POLICY, nameOf(index), false),
    secrets: () => null,
    vault,
    refusal: () => null,
    mountId: () => null,
  });
  if (!assembled.ok) throw new Error(JSON.stringify(assembled.problems));
  return { service: assembled.service, removed: false, problems: [] };
}

/** What the decision itself arrives at in a world where everything works at once. */
export function convergedState(desired: DesiredRecord, start: number): ServiceState {
  const service = desired.service?.name ?? '';
  let state: ServiceState | null = null;
  for (let now = start; now < start + MANY_MS; now += 1_000) {
    const decision = decide({
      project: PROJECT,
      service,
      desired,
      state,
      actual: fineWorld(state, now),
      now,
    });
    state = decision.state;
    if (state?.status === 'running' && decision.steps.length === 0) return state;
  }
  throw new Error(`${service} does not converge: ${JSON.stringify(state?.waiting)}`);
}

/** A backend whose every instance runs and listens: it answers from the id alone. */
export function fineBackend(): Backend {
  return {
    name: LOCAL.backend,
    capabilities: {
      spot: false,
      volumes: false,
      containers: false,
      processes: true,
      privileged: false,
      machines: false,
    },
    refuses: () => null,
    offers: async () => [LOCAL],
    create: async ({ tags }) => instanceOf(tags),
    get: async (id) => instanceOf(tagsOf(id)),
    list: async () => [],
    terminate: async () => {},
    transport: ({ id }) => ({
      run: async () => {},
      status: async () => running(id),
      stop: async () => {},
      endpoint: () => endpointOf(id),
      logs: async function* () {},
    }),
    watch: () => () => {},
    close: async () => {},
  };
}

/** The world in which everything that was asked for is there, and every probe succeeds. */
export function fineWorld(state: ServiceState | null, now: number): Actual {
  const replicas = state?.replicas ?? [];
  const { deployment = 0 } = replicas[0] ?? {};
  const success = { probe: 0, deployment, ok: true, detail: '200', at: now };
  return {
    replicas: Object.fromEntries(
      replicas.map((replica) => {
        const instance = instanceOf(tagsFor(replica));
        return [replica.name, { kind: 'present', instance, process: running(instance.id) }];
      }),
    ),
    offers: { 0: { kind: 'offers', offers: [LOCAL] } },
    probes: Object.fromEntries(replicas.map(({ name }) => [name, [success]])),
    published: state?.route?.version ?? 0,
    inflight: {},
  };
}

// Private

const MANY_MS = 60_000;

/** What is not in the id is the same for all. */
function tagsOf(id: string): Tags {
  const [replica = '', attempt, shape = ''] = id.split(' ');
  const service = replica.replace(/-\d+$/, '');
  const rest = { owner: OWNER, project: PROJECT, group: '0', deployment: 1 };
  return { ...rest, service, replica, attempt: Number(attempt), shape };
}

function tagsFor({ name, attempt, shape }: Replica): Tags {
  return tagsOf(idOf({ replica: name, attempt, shape }));
}

function idOf({ replica, attempt, shape }: Pick<Tags, 'replica' | 'attempt' | 'shape'>): string {
  return `${replica} ${attempt} ${shape}`;
}

function instanceOf(tags: Tags): Instance {
  const { backend, region, instance } = LOCAL;
  return {
    id: idOf(tags),
    backend,
    region,
    instance,
    status: 'running',
    tags,
    pricePerHour: 0,
    createdAt: 0,
  };
}

function running(replica: string): ProcessStatus {
  return { kind: 'running', startedAt: 0, listening: true, endpoint: endpointOf(replica), detail: '' };
}

function endpointOf(replica: string) {
  return { kind: 'unix', path: `/run/${replica}.sock` } as const;
}
