// `trueup token new`: a fresh token and the entry that makes the server know it. Changes nothing by itself.
import { makeToken, type Scope, tokenEntry } from '../tokens.ts';
import type { Session } from './session.ts';

export interface TokenOptions {
  readonly name: string;
  readonly scope: readonly Scope[];
  readonly only: readonly string[];
  readonly json?: boolean;
}

export async function newToken(session: Session, { name, scope, only, json }: TokenOptions): Promise<number> {
  const token = makeToken();
  const entry = tokenEntry(name, token, scope, only);
  if (json) {
    await session.json({ token, entry });
    return 0;
  }
  await session.print(
    [
      token,
      '',
      'tokens:',
      `  - name: ${JSON.stringify(entry.name)}`,
      `    sha256: ${entry.sha256}`,
      `    scopes: [${entry.scopes.join(', ')}]`,
      `    projects: ${JSON.stringify(entry.projects)}`,
      '',
    ].join('\n'),
  );
  session.note(
    'The first line is the token: it is shown once. The rest belongs in the file given to `serve --config`.',
  );
  return 0;
}
