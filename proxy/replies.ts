// Answers that the proxy gives itself. Services answer `{"detail"}`, model routes the OpenAI shape.
import type { ServerResponse } from 'node:http';
import { endAnswer } from './body.ts';

export function replyJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: readonly string[] = [],
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, [
    'content-type',
    'application/json',
    'content-length',
    String(Buffer.byteLength(text)),
    ...headers,
  ]);
  response.write(text);
  endAnswer(response.req, response);
}

/** `detail` is one sentence for people. */
export function replyDetail(
  response: ServerResponse,
  status: number,
  detail: string,
  headers: readonly string[] = [],
): void {
  replyJson(response, status, { detail }, headers);
}

export function replyModelError(
  response: ServerResponse,
  status: number,
  error: { readonly message: string; readonly type: string; readonly code: string },
): void {
  replyJson(response, status, {
    error: { message: error.message, type: error.type, param: null, code: error.code },
  });
}

export function replyRedirect(response: ServerResponse, location: string): void {
  response.writeHead(308, ['location', location, 'content-length', '0']);
  endAnswer(response.req, response);
}
