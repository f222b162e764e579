// The Action's beginning and end: reads what it is to do, does it, and says how it went by its exit status.
import { setTimeout as sleep } from 'node:timers/promises';
import { asFailure } from '../schemas/errors.ts';
import { applyMode } from './apply-mode.ts';
import { readContext } from './context.ts';
import { createGitHub } from './github/client.ts';
import { createCommentStore } from './github/comment-store.ts';
import { readInputs } from './inputs.ts';
import { bad, type Ending } from './job.ts';
import { createOutput, type Output } from './output.ts';
import { planMode } from './plan-mode.ts';

/** The runner ends what has not ended 7.5 s after it was cancelled. */
const GRACE_MS = 7000;

const out = createOutput(process.env, (text) => process.stdout.write(text));
const cancelled = new AbortController();
process.once('SIGINT', () => cancelled.abort());
process.once('SIGTERM', () => cancelled.abort());

const ending = await Promise.race([run(process.env, out, cancelled.signal), givenUp(cancelled.signal)]);
out.set('failure-reason', ending.failureReason);
// Whatever may still hold a handle, the job is over once all is printed.
process.stdout.write('', () => process.exit(ending.isGood ? 0 : 1));

// Private

async function run(env: NodeJS.ProcessEnv, out: Output, signal: AbortSignal): Promise<Ending> {
  try {
    const inputs = readInputs(env);
    const context = readContext(env, new Date());
    if (inputs.server !== null && isInClear(inputs.server)) out.annotate('warning', IN_CLEAR);
    const { owner, repo } = context;
    const github = createGitHub({ token: inputs.githubToken, apiUrl: context.apiUrl });
    const comments = createCommentStore(github, { owner, repo });
    const job = { inputs, context, out, env, github, repo: { owner, repo }, comments, signal };
    return await (inputs.mode === 'plan' ? planMode(job) : applyMode(job));
  } catch (error) {
    const failure = asFailure(error);
    out.annotate('error', failure.fix ? `${failure.message}. ${failure.fix}` : failure.message);
    if (failure.kind === 'bug' && failure.stack) out.line(failure.stack);
    return bad(failure.kind === 'bug' ? 'error' : failure.kind);
  }
}

const IN_CLEAR =
  'the input `server` is no https address: tokens and plans are sent in clear. Put a proxy with a certificate in front of it.';

function isInClear(server: string): boolean {
  const { protocol, hostname } = new URL(server);
  return protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

/** Once it was cancelled, what still hangs is left. */
async function givenUp(signal: AbortSignal): Promise<Ending> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  await sleep(GRACE_MS);
  return bad('cancelled');
}
