// An OpenAI-compatible chat endpoint whose answer is the last message, streamed word by word when asked to.
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';

const server = createServer(async (request, response) => {
  if (request.method !== 'POST' || !request.url.endsWith('/chat/completions')) {
    return refuse(response, 404, 'only POST /v1/chat/completions is here');
  }
  const body = await json(request).catch(() => null);
  const text = body?.messages?.at?.(-1)?.content;
  if (typeof text !== 'string') return refuse(response, 400, 'the body holds no message with text');
  if (body.stream) await saySlowly(response, text);
  else say(response, text);
});

function say(response, content) {
  const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }];
  reply(response, 200, { object: 'chat.completion', model: 'echo', choices });
}

async function saySlowly(response, text) {
  response.setHeader('content-type', 'text/event-stream');
  for (const content of text.split(/(?<= )/)) {
    const choices = [{ index: 0, delta: { content }, finish_reason: null }];
    const chunk = { object: 'chat.completion.chunk', model: 'echo', choices };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    await setTimeout(50);
  }
  response.end('data: [DONE]\n\n');
}

function refuse(response, status, message) {
  reply(response, status, { error: { message, type: 'invalid_request_error' } });
}

function reply(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}

server.listen(Number(process.env.PORT), '127.0.0.1');
// Requests in flight are finished before the process ends.
process.on('SIGTERM', () => server.close());
