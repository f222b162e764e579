// How the job proves who it is to the server: by a token that it was given, else by the identity that GitHub signs for it.
// A job of a fork has neither, and that is no failure.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { asFailure, Failure } from '../schemas/errors.ts';
import type { Inputs } from './inputs.ts';
import type { Output } from './output.ts';
import type { Server } from './server.ts';

export type Login =
  | { readonly kind: 'token'; readonly token: string }
  /** `why` in a sentence: neither a token nor an identity was given to the job. */
  | { readonly kind: 'none'; readonly why: string };

export interface LoginDeps {
  readonly inputs: Inputs;
  readonly env: NodeJS.ProcessEnv;
  readonly out: Pick<Output, 'mask'>;
  /** Without a token of its own. */
  readonly server: Pick<Server, 'login'>;
  /** Between one attempt to get an identity and the next. */
  readonly pausesMs?: readonly number[];
}

/** Throws `unauthorized` when the server does not take the identity, and `transient` when GitHub does not give it. */
export async function logIn(deps: LoginDeps): Promise<Login> {
  const { inputs, env, out, server, pausesMs = PAUSES_MS } = deps;
  if (inputs.token !== null) {
    out.mask(inputs.token);
    return { kind: 'token', token: inputs.token };
  }
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } = env;
  if (!url || !bearer) return { kind: 'none', why: NO_IDENTITY };
  const identity = await identityOf(url, bearer, inputs.audience ?? inputs.server ?? '', pausesMs);
  out.mask(identity);
  const { token } = await server.login(identity);
  out.mask(token);
  return { kind: 'token', token };
}

// Private

const NO_IDENTITY =
  'this job has neither a token of the server nor an identity (`permissions: {id-token: write}`; jobs of forks never have one)';

const identitySchema = z.object({ value: z.string().min(1) });

const TIMEOUT_MS = 15_000;
const PAUSES_MS = [500, 2000, 5000];

async function identityOf(
  url: string,
  bearer: string,
  audience: string,
  pausesMs: readonly number[],
): Promise<string> {
  const asked = new URL(url);
  asked.searchParams.set('audience', audience);
  for (let attempt = 0; ; attempt++) {
    try {
      return await askedOnce(asked, bearer);
    } catch (cause) {
      const pause = pausesMs[attempt];
      if (pause === undefined)
        throw new Failure('transient', `GitHub gives this job no identity: ${asFailure(cause).message}`, {
          fix: 'Run the job again.',
          cause,
        });
      await sleep(pause);
    }
  }
}

async function askedOnce(url: URL, bearer: string): Promise<string> {
  const headers = { authorization: `Bearer ${bearer}` };
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`it answered ${response.status}`);
  return identitySchema.parse(await response.json()).value;
}
