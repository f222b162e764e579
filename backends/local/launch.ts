// Starts the process of a slot: its files, its port, its environment, its keeper.
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ProcessSpec } from '../../schemas/desired.ts';
import { Failure } from '../../schemas/errors.ts';
import type { ProcessRequest } from '../backend.ts';
import { baseEnvironment, commandLine } from '../host/command.ts';
import { readSockets } from '../host/listeners.ts';
import type { LogLimits } from '../host/log-writer.ts';
import { materialise } from '../host/mounts.ts';
import { MARKER } from '../host/processes.ts';
import { type LaunchRecord, readRecord, type SecretSpan, workFolder, writeRecord } from '../host/slot.ts';
import { startKeeper } from './keepers.ts';
import { choosePort } from './ports.ts';
import { linkPython } from './python.ts';
import { refuses } from './refuses.ts';

export interface Slot {
  readonly id: string;
  readonly path: string;
}

export interface LaunchContext {
  readonly nodePath: string;
  readonly logs: LogLimits;
  /** The ports given to the replicas of all slots. */
  readonly ports: () => ReadonlySet<number>;
}

/**
 * Safe to repeat after a crash at any point, as of several keepers only one gets the slot. Throws `invalid` for what
 * cannot run here, `transient` when no keeper could be started.
 */
export async function launch(
  { id, path }: Slot,
  request: ProcessRequest,
  context: LaunchContext,
): Promise<void> {
  const refusal = refuses(request.spec);
  if (refusal !== null) throw new Failure('invalid', refusal.message, { fix: refusal.fix });
  const cwd = workingDirectory(path, request.spec);
  const { port } = readRecord(path, 'launch') ?? (await prepare(path, cwd, request, context));
  const env = await environment(path, port, request, context.nodePath);
  const command = { argv: commandLine(request.spec), cwd, env };
  const report = await startKeeper(context.nodePath, path, {
    kind: 'launch',
    command,
    secrets: request.secrets,
  });
  // With an exit record it is `status` that tells; without one nothing was started, and the call may be repeated.
  if (report.kind === 'failed' && readRecord(path, 'exit') === null) {
    throw new Failure('transient', `local: cannot start ${id}: ${report.message}`);
  }
}

// Private

/** The launch record is written last: while it is missing no keeper was started, and the work folder may be made anew. */
async function prepare(
  path: string,
  cwd: string,
  request: ProcessRequest,
  { ports, logs }: LaunchContext,
): Promise<LaunchRecord> {
  await rm(workFolder(path), { recursive: true, force: true });
  await mkdir(cwd, { recursive: true, mode: 0o700 });
  await materialise(workFolder(path), cwd, request.mounts);
  const record: LaunchRecord = {
    port: choosePort(path, new Set([...ports(), ...readSockets().ports])),
    configuredPort: request.spec.port,
    stopMs: request.stopMs,
    logs,
    secrets: secretSpans(request.env, request.secrets),
  };
  writeRecord(path, 'launch', record);
  return record;
}

function workingDirectory(slot: string, { workingDir }: ProcessSpec): string {
  return join(workFolder(slot), workingDir?.replace(/^~(\/|$)/, './') ?? '.');
}

async function environment(
  slot: string,
  port: number,
  { spec, env }: ProcessRequest,
  nodePath: string,
): Promise<{ readonly [name: string]: string }> {
  const base = baseEnvironment(dirname(nodePath), workFolder(slot));
  // A PORT from the file would make replicas collide, and is where nobody dials.
  const own = { PORT: String(port), [MARKER]: slot };
  const all: { readonly [name: string]: string } = { ...base, ...env, ...own };
  const path = all.PATH ?? '';
  if (spec.python === null) return all;
  const folder = join(slot, 'bin');
  await linkPython(folder, spec.python, path);
  return { ...all, PATH: `${folder}:${path}` };
}

/** Where in the environment each secret stands, so that a successor keeper can mask it without it being on disk. */
function secretSpans(env: ProcessRequest['env'], secrets: readonly string[]): readonly SecretSpan[] {
  return secrets.filter(Boolean).flatMap((secret) =>
    Object.entries(env).flatMap(([name, value]) => {
      const from = value.indexOf(secret);
      return from < 0 ? [] : [{ name, from, to: from + secret.length }];
    }),
  );
}
