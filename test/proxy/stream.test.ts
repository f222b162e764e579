import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'undici';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ask, eventually, PREFIX, type Proxies, startProxies, startReplica, wholeAnswer } from './world.ts';

let proxies: Proxies;
beforeAll(async () => {
  proxies = await startProxies();
});
afterAll(() => proxies.end());

const MEGABYTE = 1_000_000;

/** Begins a request whose body the test writes itself. */
function begin(method: string, headers: { readonly [name: string]: string } = {}) {
  const sent = request(`${proxies.url}${PREFIX}/`, { method, headers, agent: false });
  sent.on('error', () => {});
  onTestFinished(() => {
    sent.destroy();
  });
  const response = new Promise<IncomingMessage>((resolve) => sent.once('response', resolve));
  return { sent, response };
}

async function nextText(stream: IncomingMessage): Promise<string> {
  const [chunk] = await once(stream, 'data');
  return String(chunk);
}

/** A plain TCP connection to the proxy, and all it has received. */
function rawConnection(): { readonly socket: Socket; received(): string } {
  const { hostname, port } = new URL(proxies.url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  return { socket, received: () => text };
}

describe('streams', () => {
  test('each event of a server is seen before it writes the next', async () => {
    const turns: (() => void)[] = [];
    const replica = await startReplica((_incoming, outgoing) => {
      outgoing.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      for (const word of ['one', 'two']) turns.push(() => outgoing.write(`data: ${word}\n\n`));
      turns.push(() => outgoing.end());
    });
    await proxies.serveWeb([replica.endpoint]);
    const { sent, response } = begin('GET');
    sent.end();
    const stream = await response; // the head, while nothing else has been written
    expect(stream.headers['content-type']).toBe('text/event-stream');
    for (const word of ['one', 'two']) {
      const text = nextText(stream);
      turns.shift()?.();
      expect(await text).toBe(`data: ${word}\n\n`);
    }
    turns.shift()?.();
    await once(stream.resume(), 'end');
  });

  test('a body goes out while its answer comes in, chunk by chunk', async () => {
    const replica = await startReplica((incoming, outgoing) => incoming.pipe(outgoing));
    await proxies.serveWeb([replica.endpoint]);
    const { sent, response } = begin('POST', { 'transfer-encoding': 'chunked' });
    sent.write('one');
    const stream = await response;
    expect(await nextText(stream)).toBe('one');
    const second = nextText(stream);
    sent.write('two');
    expect(await second).toBe('two');
    sent.end();
    await once(stream.resume(), 'end');
  });

  test('a large body arrives whole in both directions', async () => {
    const replica = await startReplica((incoming, outgoing) => incoming.pipe(outgoing));
    await proxies.serveWeb([replica.endpoint]);
    const body = Buffer.alloc(20 * MEGABYTE, 'trueup');
    const answer = await ask(proxies.url, `${PREFIX}/`, { method: 'POST', body });
    expect(answer.body === body.toString()).toBe(true);
  });

  test('a caller that does not read holds the replica back', async () => {
    let written = 0;
    const replica = await startReplica((_incoming, outgoing) => {
      const chunk = Buffer.alloc(MEGABYTE);
      const fill = () => {
        while (written < 500 * MEGABYTE) {
          written += chunk.length;
          if (!outgoing.write(chunk)) return;
        }
        outgoing.end();
      };
      outgoing.on('drain', fill);
      fill();
    });
    await proxies.serveWeb([replica.endpoint]);
    const { sent, response } = begin('GET');
    sent.end();
    const stream = await response;
    stream.pause();
    const settled = await eventually('the replica is held back', async () => {
      const before = written;
      // The sample's width: that nothing more was written can only be seen over some time.
      await new Promise((resolve) => setTimeout(resolve, 300));
      return written === before ? before : null;
    });
    expect(settled).toBeLessThan(100 * MEGABYTE);
    let received = 0;
    for await (const chunk of stream) received += chunk.length;
    expect(received).toBe(500 * MEGABYTE);
  });

  test('a replica that does not read holds the caller back', async () => {
    let go = () => {};
    const replica = await startReplica((incoming, outgoing) => {
      incoming.pause();
      go = () => incoming.resume().on('end', () => outgoing.end('read'));
    });
    await proxies.serveWeb([replica.endpoint]);
    const total = 200 * MEGABYTE;
    const { sent, response } = begin('POST', { 'content-length': String(total) });
    let written = 0;
    const fill = () => {
      while (written < total) {
        written += MEGABYTE;
        if (!sent.write(Buffer.alloc(MEGABYTE))) return;
      }
      sent.end();
    };
    sent.on('drain', fill);
    fill();
    const settled = await eventually('the caller is held back', async () => {
      const before = written;
      // The sample's width: that nothing more was written can only be seen over some time.
      await new Promise((resolve) => setTimeout(resolve, 300));
      return written === before ? before : null;
    });
    expect(settled).toBeLessThan(100 * MEGABYTE);
    go();
    expect((await wholeAnswer(await response)).body).toBe('read');
  });

  test('a caller that goes ends the request at the replica', async () => {
    let isEnded = false;
    const replica = await startReplica((incoming, outgoing) => {
      outgoing.write('begun');
      incoming.socket.once('close', () => {
        isEnded = true;
      });
    });
    await proxies.serveWeb([replica.endpoint]);
    const { sent, response } = begin('GET');
    sent.end();
    await nextText(await response);
    expect(proxies.fleet.inflight('main', 'web-0')).toBeLessThanOrEqual(1);
    sent.destroy();
    await eventually('the replica sees its caller go', () => isEnded);
    await eventually('nothing is in flight', () => proxies.fleet.inflight('main', 'web-0') === 0);
  });

  test('a caller that goes before the answer has begun does so too', async () => {
    let isEnded = false;
    const replica = await startReplica((incoming) => {
      incoming.socket.once('close', () => {
        isEnded = true;
      });
    });
    await proxies.serveWeb([replica.endpoint]);
    const { sent } = begin('GET');
    sent.end();
    await eventually('the request arrives', () => replica.connections.length > 0);
    sent.destroy();
    await eventually('the replica sees its caller go', () => isEnded);
  });

  test('a caller that breaks off in its body breaks off at the replica', async () => {
    let outcome = '';
    const replica = await startReplica((incoming) => {
      incoming.on('aborted', () => {
        outcome = 'aborted';
      });
      incoming.on('error', () => {});
      incoming.resume();
    });
    await proxies.serveWeb([replica.endpoint]);
    const { sent } = begin('POST', { 'content-length': '1000' });
    sent.write('half');
    await eventually('the request arrives', () => replica.connections.length > 0);
    sent.destroy();
    await eventually('the replica sees its caller break off', () => outcome === 'aborted');
  });

  test('an early answer reaches a caller that still sends, and its connection goes on', async () => {
    const replica = await startReplica((incoming, outgoing) => {
      if (incoming.method === 'POST') outgoing.writeHead(413).end('too large');
      else outgoing.end('fine');
    });
    await proxies.serveWeb([replica.endpoint]);
    const { socket, received } = rawConnection();
    const length = 50 * MEGABYTE;
    socket.write(`POST ${PREFIX}/ HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n`);
    socket.write(Buffer.alloc(length));
    await eventually('the answer comes', () => received().includes('too large'));
    socket.write(`GET ${PREFIX}/ HTTP/1.1\r\nhost: x\r\n\r\n`);
    await eventually('the next request is answered', () => received().endsWith('fine'));
  });

  test('a body that nobody takes still lets its caller read the error, also on a connection that is closed then', async () => {
    const replica = await startReplica(() => {});
    await replica.stop();
    await proxies.serveWeb([replica.endpoint]);
    const answer = await ask(proxies.url, `${PREFIX}/`, {
      method: 'POST',
      body: Buffer.alloc(20 * MEGABYTE),
    });
    expect(answer.status).toBe(502);
  });

  test('a caller that asks first is told to continue only when a replica takes the body', async () => {
    const replica = await startReplica((incoming, outgoing) => {
      incoming.resume().on('end', () => outgoing.end(`expect: ${incoming.headers.expect}`));
    });
    await proxies.serveWeb([replica.endpoint]);
    const { sent, response } = begin('POST', { expect: '100-continue', 'content-length': '4' });
    sent.flushHeaders();
    await once(sent, 'continue');
    sent.end('body');
    expect((await wholeAnswer(await response)).body).toBe('expect: undefined');

    await proxies.serveWeb([]);
    const refused = begin('POST', { expect: '100-continue', 'content-length': '4' });
    let isContinued = false;
    refused.sent.on('continue', () => {
      isContinued = true;
    });
    refused.sent.flushHeaders();
    expect((await refused.response).statusCode).toBe(503);
    expect(isContinued).toBe(false);
  });

  test('early hints are not mistaken for the answer', async () => {
    const replica = await startReplica((_incoming, outgoing) => {
      outgoing.writeEarlyHints({ link: '</style.css>; rel=preload' });
      outgoing.end('final');
    });
    await proxies.serveWeb([replica.endpoint]);
    expect(await ask(proxies.url, `${PREFIX}/`)).toMatchObject({ status: 200, body: 'final' });
  });
});

describe('WebSocket', () => {
  /** Says back each frame it gets, by the little of the protocol that this takes: the bytes are not looked at. */
  async function startEcho() {
    const replica = await startReplica((_incoming, outgoing) =>
      outgoing.writeHead(426).end('upgrade, please'),
    );
    replica.server.on('upgrade', (incoming, socket, head) => {
      if (incoming.url === '/refused') {
        socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno');
        return;
      }
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nupgrade: ${incoming.headers.upgrade}\r\nconnection: upgrade\r\nx-key: ${incoming.headers['sec-websocket-key']}\r\n\r\n`,
      );
      if (head.length > 0) socket.write(head);
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    return replica;
  }

  function upgrade(path: string, extra = ''): string {
    return `GET ${PREFIX}${path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: k\r\n\r\n${extra}`;
  }

  test('goes both ways, also what came right after the request', async () => {
    const replica = await startEcho();
    await proxies.serveWeb([replica.endpoint]);
    const { socket, received } = rawConnection();
    socket.write(upgrade('/', 'early'));
    await eventually('the upgrade and the echo', () => received().endsWith('early'));
    expect(received()).toMatch(/^HTTP\/1.1 101 /);
    expect(received()).toContain('x-key: k');
    socket.write(' and late');
    await eventually('the echo', () => received().endsWith('early and late'));
  });

  test('counts as in flight until either side ends it, which ends the other', async () => {
    const replica = await startEcho();
    await proxies.serveWeb([replica.endpoint]);
    const { socket, received } = rawConnection();
    socket.write(upgrade('/', 'hello'));
    await eventually('the echo', () => received().endsWith('hello'));
    await eventually('it is in flight', () => proxies.fleet.inflight('main', 'web-0') === 1);
    socket.end();
    await eventually('the replica sees the end', () => replica.connections.every((one) => one.destroyed));
    await eventually('nothing is in flight', () => proxies.fleet.inflight('main', 'web-0') === 0);

    const second = rawConnection();
    second.socket.write(upgrade('/', 'hello'));
    await eventually('the echo', () => second.received().endsWith('hello'));
    for (const one of replica.connections) one.destroy();
    await once(second.socket, 'close');
  });

  test('a replica that says no is heard', async () => {
    const replica = await startEcho();
    await proxies.serveWeb([replica.endpoint]);
    const { socket, received } = rawConnection();
    socket.write(upgrade('/refused'));
    await once(socket, 'end');
    expect(received()).toMatch(/^HTTP\/1.1 401 [\s\S]*no$/);
  });

  test('an upgrade to an unknown service is refused like any request', async () => {
    const { socket, received } = rawConnection();
    socket.write(upgrade('/').replace('/main/web', '/main/none'));
    await once(socket, 'end');
    expect(received()).toMatch(/^HTTP\/1.1 404 /);
  });

  test('a real client gets through to where it is not spoken, and hears so', async () => {
    const replica = await startReplica((_incoming, outgoing) => outgoing.end('plain'));
    await proxies.serveWeb([replica.endpoint]);
    const client = new WebSocket(`${proxies.url.replace('http', 'ws')}${PREFIX}/`);
    const [event] = await once(client as never, 'error');
    expect(event).toBeDefined();
  });

  test('other upgrades that a client offers are ignored', async () => {
    const replica = await startReplica((incoming, outgoing) =>
      outgoing.end(`upgrade: ${incoming.headers.upgrade}`),
    );
    await proxies.serveWeb([replica.endpoint]);
    const answer = await ask(proxies.url, `${PREFIX}/`, {
      headers: { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'x' },
    });
    expect(answer.body).toBe('upgrade: undefined');
  });
});
