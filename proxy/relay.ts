// One try of a request at one upstream: passes on to the caller what undici reports of it, as it comes.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { admitBody, endAnswer, hasBody } from './body.ts';
import type { Attempt } from './upstream.ts';

export interface Relayed {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The headers that go back, as a flat list. */
  readonly headersBack: (headers: IncomingHttpHeaders) => string[];
  /** From the last byte sent until the first byte of the answer. */
  readonly answerMs: number;
  /** Set when the caller asked for another protocol: its name, and how to go on once the upstream agreed. */
  readonly upgrade?: { readonly protocol: string; readonly join: Join } | undefined;
}

/** Joins caller and upstream after a 101; calls `done` when both have ended. */
export type Join = (upstream: Duplex, headers: string[], done: () => void) => void;

/** How far a try has come: not at all; sent, on a connection that is new or that was used before; answered in part. */
export type Progress = 'unsent' | 'sent' | 'sent-on-used' | 'answered';

export interface Outcome {
  /** A connection is there and nothing has been sent yet. Aborting now means that nothing will be. */
  readonly started: (controller: Dispatcher.DispatchController) => void;
  /** The answer is complete, or an upgraded connection has ended. */
  readonly finished: () => void;
  readonly broke: (error: Error, progress: Progress) => void;
}

export class AnswerTimeout extends Error {}

export function relay(passage: Relayed, outcome: Outcome): Attempt {
  const { request, response } = passage;
  let controller: Dispatcher.DispatchController | null = null;
  let progress: Progress = 'unsent';
  const timer = setTimeout(() => controller?.abort(new AnswerTimeout()), passage.answerMs);

  const attempt: Attempt = {
    connection: { used: false },
    onRequestStart(started) {
      controller = started;
      outcome.started(started);
      if (started.aborted) return;
      timer.refresh();
      progress = attempt.connection.used ? 'sent-on-used' : 'sent';
      attempt.connection.used = true;
      if (hasBody(request)) admitBody(request, response);
    },
    onBodySent() {
      timer.refresh();
    },
    onResponseStarted() {
      progress = 'answered';
    },
    onResponseStart(_controller, status, headers, message) {
      if (status < 200) return;
      clearTimeout(timer);
      beginAnswer(response, status, message, passage.headersBack(headers));
    },
    onResponseData(started, chunk) {
      if (response.write(chunk)) return;
      started.pause();
      response.once('drain', () => started.resume());
    },
    onResponseEnd() {
      outcome.finished();
      endAnswer(request, response);
    },
    onRequestUpgrade(_controller, _status, headers, socket) {
      clearTimeout(timer);
      passage.upgrade?.join(socket, passage.headersBack(headers), outcome.finished);
    },
    onResponseError(_controller, error) {
      clearTimeout(timer);
      outcome.broke(error, progress);
    },
  };
  return attempt;
}

// Private

function beginAnswer(
  response: ServerResponse,
  status: number,
  message: string | undefined,
  headers: string[],
): void {
  response.writeHead(status, message ?? '', headers);
  // A stream may say nothing for long: the head goes out now, but together with a body that is here already.
  process.nextTick(() => {
    if (!response.writableEnded) response.flushHeaders();
  });
}
