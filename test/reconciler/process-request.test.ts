// What a replica's log may not show: what came from the server's secrets, and what a file says under a name of its kind.
import { expect, test } from 'vitest';
import { processRequest } from '../../reconciler/process-request.ts';
import { createVault } from '../../reconciler/secrets.ts';
import type { ProbeSpec } from '../../schemas/desired.ts';
import { deployment, replica, service } from '../plan/samples.ts';

const VAULT = createVault(Buffer.alloc(32, 1));
const SOURCE = { description: '/repo', mount: () => async function* () {} };

function hiddenIn(env: { readonly [name: string]: string }, headers: ProbeSpec['headers'] = []) {
  const probe: ProbeSpec = {
    method: 'get',
    url: '/health',
    headers,
    body: null,
    timeoutMs: 1000,
    intervalMs: 1000,
    readyAfter: 1,
    untilReady: false,
  };
  const sealed = VAULT.seal({
    env: { '0': env },
    registryPassword: { '0': 'pull-me' },
    probes: [probe],
    secrets: ['from-the-server'],
  });
  const made = deployment({ ...service('web'), sealed });
  return processRequest(VAULT, SOURCE, made, replica('web-1'), 'main').secrets;
}

test('variables with names of secrets are hidden, others are not', () => {
  const env = { API_TOKEN: 'abcdef', DATABASE_URL: 'pg://u:p@h/d', GREETING: 'hello', MY_KEY: 'abc' };
  expect(hiddenIn(env)).toEqual(['from-the-server', 'pull-me', 'abcdef', 'pg://u:p@h/d']);
});

test('headers of probes too, and the credential alone, without the word before it', () => {
  const headers = [
    { name: 'Authorization', value: 'Bearer s3cret' },
    { name: 'X-Api-Key', value: 'k3y-of-api' },
    { name: 'Cookie', value: 'session=1234' },
    { name: 'Accept', value: 'text/html' },
  ];
  expect(hiddenIn({}, headers)).toEqual([
    'from-the-server',
    'pull-me',
    'Bearer s3cret',
    's3cret',
    'k3y-of-api',
    'session=1234',
  ]);
});
