// What git said, as a Failure: which kind it is, in words that name the repository, and what to do about it.
import { Failure, type FailureKind } from '../../schemas/errors.ts';

export interface Circumstances {
  readonly repo: string;
  readonly dir: string;
  /** The silence after which git was killed; null when it ended by itself. */
  readonly timedOutMs: number | null;
  /** Never repeated, whoever printed it. */
  readonly secret: string;
}

export function explain(output: string, at: Circumstances): Failure {
  if (at.timedOutMs !== null) {
    const message = `cannot read ${at.repo}: no answer for ${at.timedOutMs / 1000} s`;
    return new Failure('transient', message, { fix: 'Check that its server can be reached from here.' });
  }
  const said = essence(output, at.secret);
  const rule = RULES.find((each) => each.match.test(said));
  if (rule === undefined) return new Failure('transient', `cannot read ${at.repo}: ${said}`);
  return new Failure(rule.kind, `cannot read ${at.repo}: ${rule.says ?? said}`, { fix: rule.fix(at) });
}

// Private

interface Rule {
  readonly match: RegExp;
  readonly kind: FailureKind;
  /** Absent: git's own words are clear enough. */
  readonly says?: string;
  readonly fix: (at: Circumstances) => string;
}

const TOKEN_FIX = 'Give a token (or an ssh key) that may read the repository.';

/** The first that matches counts, so causes come before the general complaints that follow them. */
const RULES: readonly Rule[] = [
  {
    match: /spawn git ENOENT/,
    kind: 'invalid',
    says: 'git is not installed',
    fix: () => 'Install git 2.32 or newer.',
  },
  {
    match: /dubious ownership/,
    kind: 'invalid',
    says: 'dubious ownership: it belongs to another user than the one trueup runs as',
    fix: (at) =>
      `Run trueup as its owner, or trust it: git config --global --add safe.directory ${at.repo} (as the user trueup runs as).`,
  },
  {
    match: /No space left on device|Disk quota exceeded/,
    kind: 'transient',
    says: 'the disk is full',
    fix: (at) => `Free some space in ${at.dir}.`,
  },
  {
    match: /Host key verification failed/,
    kind: 'unauthorized',
    says: "its server's ssh host key is not known",
    fix: () => 'Add it to known_hosts of the user trueup runs as (ssh-keyscan), after checking it.',
  },
  {
    match: /Permission denied \(|Too many authentication failures/,
    kind: 'unauthorized',
    says: 'its server refused the ssh key',
    fix: () => 'Give the user trueup runs as a key that may read the repository.',
  },
  {
    match: /could not read (Username|Password)|terminal prompts disabled/,
    kind: 'unauthorized',
    says: 'its server asks for a password or token, and none is configured',
    fix: () => TOKEN_FIX,
  },
  {
    match: /Authentication failed|returned error: 40[13]|Access denied|authentication required/i,
    kind: 'unauthorized',
    says: 'its server refused the credentials',
    fix: () => TOKEN_FIX,
  },
  {
    match: /certificate/,
    kind: 'transient',
    fix: () => 'Have its certificate renewed, or trust its issuer: GIT_SSL_CAINFO=FILE.',
  },
  {
    match: /lazy fetching disabled|promisor|partial clone/,
    kind: 'invalid',
    says: 'it is a partial clone: objects are missing in it',
    fix: () => 'Watch its remote instead, or fetch what is missing: git fetch --refetch --no-filter.',
  },
  {
    match: /dumb http transport/,
    kind: 'invalid',
    says: 'its server speaks only the old "dumb" http protocol',
    fix: () => 'Serve it with git http-backend, or watch it over ssh.',
  },
  {
    match: /transport '[^']*' not allowed/,
    kind: 'invalid',
    says: 'it leads to a protocol that is not allowed',
    fix: () => 'Use its https or ssh URL.',
  },
  {
    match:
      /not appear to be a git repository|not a git repository|repository .*not found|Repository not found/i,
    kind: 'not-found',
    says: 'there is no such repository, or it may not be read',
    fix: () => `Check its address. ${TOKEN_FIX}`,
  },
  {
    match: /is corrupt|object file .* is empty|packfile .* (cannot be|is far)|bad pack/,
    kind: 'transient',
    says: 'an object is damaged, there or in the copy here',
    fix: (at) => `Stop trueup and delete ${at.dir}: it is fetched anew.`,
  },
  {
    match: /not a valid object|bad object|Not a valid object name|invalid object name|bad revision/i,
    kind: 'not-found',
    says: 'the commit is not kept any more',
    fix: () => '',
  },
];

const PROGRESS =
  /^(remote: )?(Enumerating|Counting|Compressing|Receiving|Resolving|Unpacking|Total|hint:|From )/;

/** The lines that say something, on one line, without secrets and not longer than a message may be. */
function essence(output: string, secret: string): string {
  const lines = output
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !PROGRESS.test(line));
  const text = lines.join('; ').replace(/\/\/[^/@\s]*@/g, '//');
  return (secret === '' ? text : text.replaceAll(secret, '***')).slice(0, 400) || 'git failed without a word';
}
