// Answers with its message, and who answered. /stream says it word by word.
import { createServer } from 'node:http';
import { setTimeout } from 'node:timers/promises';

const { PORT, MESSAGE = 'Hello', DSTACK_RUN_NAME, DSTACK_REPLICA_NUM } = process.env;
const who = `${DSTACK_RUN_NAME}-${DSTACK_REPLICA_NUM}`;

const server = createServer(async (request, response) => {
  if (request.url === '/health') return response.end('ok\n');
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  if (request.url !== '/stream') return response.end(`${MESSAGE} (${who})\n`);
  for (const word of `${MESSAGE} (${who})`.split(' ')) {
    response.write(`${word} `);
    await setTimeout(200);
  }
  response.end('\n');
});

server.listen(Number(PORT), '127.0.0.1', () => console.log(`${who} listens on ${PORT}`));
// Requests in flight are finished before the process ends.
process.on('SIGTERM', () => server.close());
