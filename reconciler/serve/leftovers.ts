// `serve --stop`: ends the daemon of a data dir if one runs, then everything it left running.
import { setTimeout } from 'node:timers/promises';
import { isRunning } from '../../backends/host/process-identity.ts';
import { stopProxies } from '../../proxy/fleet.ts';
import type { ServerConfig } from '../config.ts';
import type { DataDir } from '../data-dir.ts';
import { endEverything } from '../end.ts';
import { acquire, lockOwner } from '../lock.ts';
import { openLocalBackend } from './ground.ts';

const LOOK_MS = 50;

export async function stopLeftovers(
  config: ServerConfig,
  dataDir: DataDir,
  say: (line: string) => void,
): Promise<void> {
  const daemon = await lockOwner(dataDir.path);
  if (daemon) {
    say(`  ends the daemon, pid ${daemon.pid}`);
    process.kill(daemon.pid, 'SIGTERM');
    while (isRunning(daemon)) await setTimeout(LOOK_MS);
  }
  const lock = await acquire(dataDir.path, { url: '' });
  try {
    await stopProxies(dataDir.path, say);
    const local = await openLocalBackend(config, dataDir);
    await endEverything({
      backends: [local],
      owner: dataDir.owner,
      say,
      hurry: new AbortController().signal,
    });
    await local.close();
  } finally {
    await lock.release();
  }
  say('Nothing of this data dir runs any more.');
}
