// An OpenAI-compatible chat endpoint whose answer is the last message, streamed word by word when asked to.
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';

const server = createServer(async (request, response) => {
  if (request.method !== 'POST' || !request.url.endsWith('/chat/completions')) {
    return response.writeHead(404).end('only /v1/chat/completions is here\n');
  }
  const { messages, stream } = await json(request);
  const text = String(messages.at(-1).content);
  if (!stream) {
    response.setHeader('content-type', 'application/json');
    const message = { role: 'assistant', content: text };
    return response.end(JSON.stringify({ object: 'chat.completion', model: 'echo', choices: [{ index: 0, message }] }));
  }
  response.setHeader('content-type', 'text/event-stream');
  for (const word of text.split(/(?<= )/)) {
    const choices = [{ index: 0, delta: { content: word } }];
    response.write(`data: ${JSON.stringify({ object: 'chat.completion.chunk', model: 'echo', choices })}\n\n`);
  }
  response.end('data: [DONE]\n\n');
});

server.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => server.close());
