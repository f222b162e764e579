// How far it has come, in words: one sentence for each state, the same in comments, statuses and summaries.
import type { Life } from './view.ts';

export interface LifeWords {
  readonly mark: string;
  readonly state: string;
  readonly sentence: string;
  /** What follows from it for who reads; '' when nothing does. */
  readonly then: string;
}

/** `environment`: where it is deployed to; '' when that has no name. */
export function lifeWords(life: Life, environment = ''): LifeWords {
  const { kind: state } = life;
  const words = (mark: string, sentence: string, then = '') => ({ mark, state, sentence, then });
  const where = environment && ` to ${environment}`;
  switch (life.kind) {
    case 'planned':
      return words('○', 'nothing changes before this is merged.');
    case 'merged':
      return words('◔', `commit ${shortOf(life.commit)} is deployed${where} next.`);
    case 'waiting':
      return words('◔', ended(life.reason));
    case 'deploying':
      return words('◑', `${doneOf(life)}${life.service ? `; ${life.service} moved last` : ''}.`);
    case 'deployed':
      return words('✓', `all of it${where}, in ${durationOf(life.seconds)}.`);
    case 'refused':
      return words('✗', ended(life.detail), [leavesAlone(life), ended(life.fix)].filter(Boolean).join(' '));
    case 'failed':
      return words('✗', ended(life.service ? `${life.service}: ${life.reason}` : life.reason), STILL_SERVING);
    case 'superseded':
      return words('○', `commit ${shortOf(life.by)} took its place and is deployed instead.`);
    case 'cancelled':
      return words('⚠', 'only the job that followed it was cancelled; the rollout goes on.', FOLLOW_AGAIN);
    case 'withdrawn':
      return words('⚠', 'the job was cancelled before it had anything deployed.', 'Run it again to deploy.');
  }
}

/** `deploying: 2 of 4 services done; web moved last.` */
export function lifeSentence(life: Life, environment = ''): string {
  const { state, sentence } = lifeWords(life, environment);
  return `${state}: ${sentence}`;
}

// Private

const FOLLOW_AGAIN = 'Run the job again to follow it; to take it back, push a commit that does.';
const STILL_SERVING = 'Whatever served before still does.';

function doneOf({ done, of }: { readonly done: number; readonly of: number }): string {
  return `${done} of ${of} ${of === 1 ? 'service' : 'services'} done`;
}

/** A server that asks nobody, or one that has gone on, may have deployed it all the same. */
function leavesAlone({ refusal }: Extract<Life, { kind: 'refused' }>): string {
  return refusal === 'not-gated' || refusal === 'not-newest' ? '' : 'Nothing of it was deployed.';
}

/** As a sentence ends. */
function ended(text: string): string {
  return text === '' || /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** `45 s`, `3 min 20 s`, `1 h 5 min` */
function durationOf(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
  if (minutes > 0) return whole % 60 > 0 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
  return `${whole} s`;
}

function shortOf(commit: string): string {
  return commit.slice(0, 8);
}
