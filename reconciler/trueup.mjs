#!/usr/bin/env node
// The command `trueup`. Plain JavaScript that any Node from 16 on understands: it finds one that runs the rest.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const NEEDED = [24, 3];
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const pinned = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
const own = fileURLToPath(import.meta.url);

if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) {
  // Halves the start. Beside the program, where nobody else can put something in its place.
  module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/trueup', import.meta.url)));
  await import(new URL('./cli.ts', import.meta.url).href);
} else if (existsSync(pinned) && process.env.TRUEUP_REEXEC === undefined) {
  again();
} else {
  process.stderr.write(
    `error: trueup needs Node ${NEEDED.join('.')} or newer; this is ${process.versions.node}\n` +
      'Run `npm install` in its folder: on Linux that brings the right Node. Elsewhere get it from https://nodejs.org.\n',
  );
  process.exitCode = 2;
}

/** The same command under the Node that was installed beside us; signals and the end go through. */
function again() {
  const child = spawn(pinned, [own, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, TRUEUP_REEXEC: '1' },
  });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to both of us: passed on, it would count twice.
      if (signal !== 'SIGINT' || !hasTerminal()) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    process.stderr.write(`error: cannot start ${pinned}: ${error.message}\n`);
    process.exitCode = 2;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code === null ? 2 : code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function hasTerminal() {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
