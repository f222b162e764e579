// Turns what a database driver throws into a Failure. The error itself is not kept: it may hold the values of the
// query or the address with its password.
import { Failure, type FailureKind } from '../../schemas/errors.ts';

/** `where` names the database without its password. */
export function sqlFailure(error: unknown, where: string): Failure {
  if (error instanceof Failure) return error;
  const { code, message } = described(error);
  const { kind, fix } = rules.find((rule) => rule.when.test(`${code} ${message}`)) ?? unknown;
  return new Failure(kind, `${where}: ${message}${code === '' ? '' : ` (${code})`}`, { fix });
}

// Private

interface Rule {
  readonly when: RegExp;
  readonly kind: FailureKind;
  readonly fix: string;
}

const START = 'Start the database, or correct its address.';

/** Over `<SQLSTATE or system code> <message>`; the first that matches decides. */
const rules: readonly Rule[] = [
  { when: /^28/, kind: 'unauthorized', fix: "Correct the user or the password in the database's address." },
  {
    when: /^42501/,
    kind: 'unauthorized',
    fix: 'Give this user the right to create and write the schema trueup.',
  },
  { when: /^3D000/, kind: 'invalid', fix: 'Create the database, or correct its name in the address.' },
  { when: /^25006/, kind: 'transient', fix: "Use the primary's address: this server only reads." },
  { when: /^53300/, kind: 'transient', fix: 'Raise max_connections of the server, or close other clients.' },
  { when: /^53100/, kind: 'transient', fix: "Free space on the database's disk." },
  {
    when: /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENOENT|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)/,
    kind: 'transient',
    fix: START,
  },
  { when: /timeout/i, kind: 'transient', fix: START },
  // Cut connections, shutdown, serialization, deadlock, locks, resources.
  {
    when: /^(08|57P|40|55P|53|ECONNRESET|EPIPE)|terminat|connection error|not queryable/i,
    kind: 'transient',
    fix: '',
  },
];

const unknown = { kind: 'bug', fix: '' } as const;

function described(error: unknown): { readonly code: string; readonly message: string } {
  // `localhost` is dialled at several addresses: the first refusal speaks for all.
  if (error instanceof AggregateError && error.errors.length > 0) return described(error.errors[0]);
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return { code, message: error.message };
}
