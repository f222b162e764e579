// `npm run campaign [-- --worlds N] [-- --seed S]`: lives through random worlds, as many as asked, and sums them up. A
// world in which a rule breaks is made as small as it goes and printed, with the seed that brings it back.
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { type Account, live, type RandomWorld, randomWorld } from '../simulation/random-worlds.ts';

const { values } = parseArgs({
  options: {
    worlds: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const worlds = wholeNumber('worlds', values.worlds);
const seed = wholeNumber('seed', values.seed);

/** Worlds between two lines of progress; each batch has a seed of its own, so that it can be repeated alone. */
const BATCH = 100;
/** Worlds tried to make a failing one smaller. */
const SHRINKING_MS = 60_000;

let total: Account = { minutes: 0, decisions: 0, crashes: 0, machines: 0 };
let lived = 0;
let violations = 0;
const startedAt = performance.now();
console.log(`${worlds} worlds from seed ${seed}`);
for (let batch = 0; batch * BATCH < worlds; batch++) {
  const details = await fc.check(fc.asyncProperty(randomWorld, liveAndCount), {
    numRuns: Math.min(BATCH, worlds - batch * BATCH),
    seed: seed + batch,
    interruptAfterTimeLimit: SHRINKING_MS * 10,
  });
  if (!details.failed) continue;
  violations += 1;
  const [world] = details.counterexample ?? [];
  console.log(
    `\nseed ${details.seed}, after ${details.numRuns} worlds, made smaller ${details.numShrinks} times:`,
  );
  console.log(JSON.stringify(world, null, 2));
  console.log(
    `${details.errorInstance instanceof Error ? details.errorInstance.message : details.errorInstance}`,
  );
}
const seconds = (performance.now() - startedAt) / 1000;
console.log(
  [
    `\nworlds                ${lived.toLocaleString('en-US')}`,
    `simulated minutes     ${Math.round(total.minutes).toLocaleString('en-US')} (${Math.round(total.minutes / seconds).toLocaleString('en-US')} per second)`,
    `decisions             ${total.decisions.toLocaleString('en-US')}`,
    `deaths of the daemon  ${total.crashes.toLocaleString('en-US')}`,
    `machines made         ${total.machines.toLocaleString('en-US')}`,
    `violations            ${violations}`,
    `seconds               ${Math.round(seconds)}`,
  ].join('\n'),
);
process.exitCode = violations === 0 ? 0 : 1;

async function liveAndCount(world: RandomWorld): Promise<void> {
  const account = await live(world);
  lived += 1;
  total = {
    minutes: total.minutes + account.minutes,
    decisions: total.decisions + account.decisions,
    crashes: total.crashes + account.crashes,
    machines: total.machines + account.machines,
  };
  if (lived % BATCH === 0 && process.stderr.isTTY) process.stderr.write(`\r\x1b[K${lived} worlds`);
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`--${name}: \`${text}\` is not a whole number`);
  return process.exit(2);
}
