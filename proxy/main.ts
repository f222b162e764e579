// The program of a proxy process: configuration in the environment, one line on stdout when it is up or has failed,
// whatever else it has to say on stderr.
import { asFailure } from '../schemas/errors.ts';
import { startProxy } from './process.ts';
import { CONFIG_VARIABLE, type ProxyConfig, type StartReport } from './spawn.ts';

/** How long requests may take to finish when the machine or a person asks for the end. */
const TERM_MS = 10_000;

function log(line: string): void {
  process.stderr.write(`${new Date().toISOString()} proxy ${process.pid}: ${line}\n`);
}

function report(line: StartReport): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function configuration(): ProxyConfig {
  const text = process.env[CONFIG_VARIABLE];
  delete process.env[CONFIG_VARIABLE];
  if (text === undefined) throw new Error(`${CONFIG_VARIABLE} is not set: proxies are started by the daemon`);
  return JSON.parse(text) as ProxyConfig; // written by `spawnProxy`
}

// Whoever started us may be gone, and what it read from us with it.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
// A proxy that dies takes every open stream with it; one broken exchange is the smaller harm.
process.on('uncaughtException', (error) => log(`uncaught: ${error.stack ?? error.message}`));
process.title = 'trueup-proxy';

try {
  const proxy = await startProxy(configuration(), log, () => process.exit(0));
  process.on('SIGTERM', () => proxy.retire(TERM_MS));
  report({ kind: 'up' });
} catch (error) {
  const { message, fix } = asFailure(error);
  log(message);
  report({ kind: 'failed', message, fix });
  process.exitCode = 1;
  setTimeout(() => process.exit(1), 1_000);
}
