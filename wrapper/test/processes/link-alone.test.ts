/** The link by itself, in this process: half-open, cut, flooded, and told nonsense. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { MIB } from '#protocol/limits';
import { type FakeControlPlane, newKillId } from '#testing/fake-control-plane';
import { sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { Dialled, linkTo, tcpServer, timedOut } from '../support/dialling.ts';
import { controlPlane } from '../support/leash.ts';
import { relayTo } from '../support/relay.ts';

test('what answers nothing is given up in time, and it says what was waited for', async () => {
  const server = await tcpServer(() => {});
  const why = 'timed out after 15 s opening the WebSocket to 127.0.0.1';
  const ending = await timedOut({ baseUrl: `ws://127.0.0.1:${server.port}` }, () => server.receivedBytes() > 0);
  expect(ending).toEqual({ kind: 'lost', why });
  await waitFor('no open connection', () => server.open() === 0);
});

test('a control plane that is busy says when to ask again, and hears for how long the run was disconnected', async () => {
  const problem = { type: 'about:blank', title: 'busy', status: 503, code: 'busy', detail: 'Later.' };
  const body = JSON.stringify({ ...problem, retry_after_ms: 1_234 });
  let request = '';
  const server = await tcpServer((socket) => {
    socket.on('data', (bytes) => {
      request += bytes.toString();
      if (request.endsWith('\r\n\r\n'))
        socket.end(`HTTP/1.1 503 Busy\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    });
  });
  const dialled = new Dialled({ baseUrl: `ws://127.0.0.1:${server.port}` }, 1_500.6);
  expect(await dialled.ended()).toEqual({
    kind: 'busy',
    why: 'the control plane responded with status 503: Later.',
    pauseMs: 1_234,
  });
  expect(request).toContain('\r\nLeash-Disconnected-Ms: 1500\r\n');
});

test.skipIf(process.platform !== 'linux')('a SYN that nobody answers is given up in time', async () => {
  const hole = await blackHole();
  const inQueue = unansweredSyns(hole);
  const why = `timed out after 15 s connecting to 127.0.0.1:${hole}`;
  const ending = await timedOut({ baseUrl: `ws://127.0.0.1:${hole}` }, () => unansweredSyns(hole) > inQueue);
  expect(ending).toEqual({ kind: 'lost', why });
});

test('a link of which nothing comes through any more, without being closed, is dropped and dialled again', async () => {
  const plane = await controlPlane();
  plane.script = { ...plane.script, silenceMs: 600, heartbeatMs: 100 };
  const relay = await relayTo(plane.port);
  const { link } = linkTo({ baseUrl: `ws://127.0.0.1:${relay.port}` });
  await waitFor('connected', () => link.state === 'connected');
  expect(link.unreachableSince).toBeNull();
  await waitFor('a heartbeat', () => plane.heartbeats > 0);
  relay.freeze();
  const before = relay.connections;
  await waitFor('connected again', () => relay.connections > before && link.state === 'connected');
  expect(link.unreachableSince).toBeNull();
});

const UPGRADED = (key: string, protocol: string) =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${createHash(
    'sha1',
  )
    .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')}\r\n${protocol}\r\n`;

test.each([
  [
    'a page',
    () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
    'refused',
    'does not look like a Leash control plane (200)',
  ],
  [
    'a redirect',
    () => 'HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example.com/\r\nContent-Length: 0\r\n\r\n',
    'refused',
    'redirected (302) to https://elsewhere.example.com/: set LEASH_URL',
  ],
  [
    'an upgrade without the subprotocol',
    (key: string) => UPGRADED(key, ''),
    'refused',
    'does not look like a Leash control plane',
  ],
  [
    'an upgrade to another subprotocol',
    (key: string) => UPGRADED(key, 'Sec-WebSocket-Protocol: chat\r\n'),
    'refused',
    'does not look like a Leash control plane',
  ],
  ['an upgrade for somebody else', () => UPGRADED('other', ''), 'refused', 'does not look like a Leash control plane'],
  [
    'no HTTP at all',
    () => 'SSH-2.0-OpenSSH_9.9\r\n',
    'refused',
    'does not look like a Leash control plane: Parse Error',
  ],
  [
    'an overlong head',
    () => `HTTP/1.1 200 OK\r\n${'X-Fill: y\r\n'.repeat(20_000)}`,
    'refused',
    'does not look like a Leash control plane: Parse Error',
  ],
  ['half an answer', () => 'HTTP/1.1 503 Gone fis', 'lost', 'socket hang up'],
] as const)('what answers with %s: %s', async (_what, answer, kind, why) => {
  const server = await tcpServer((socket) => {
    socket.once('data', (request: Buffer) => {
      const key = /sec-websocket-key: (\S+)/i.exec(request.toString())?.[1] ?? '';
      socket.end(answer(key));
    });
  });
  const dialled = new Dialled({ baseUrl: `ws://127.0.0.1:${server.port}` });
  expect(await dialled.ended()).toMatchObject({ kind, why: expect.stringContaining(why) });
  await waitFor('no open connection', () => server.open() === 0);
});

test.each([
  [401, 'refused'],
  [403, 'refused'],
  [404, 'refused'],
  [426, 'refused'],
  // It has no time just now, and is asked again soon.
  [408, 'lost'],
  [425, 'lost'],
  [429, 'lost'],
  [503, 'lost'],
] as const)('an upgrade that is answered by %i counts as %s', async (status, kind) => {
  const plane = await controlPlane();
  plane.script.refuse = status;
  const dialled = new Dialled({ baseUrl: plane.url.replace('http', 'ws') });
  const why = expect.stringMatching(new RegExp(`\\b${status}\\b.*: no\u001b\\[31m, really$`));
  expect(await dialled.ended()).toMatchObject({ kind, why });
});

test('a body without an end, after a refusal, is not waited for', async () => {
  const server = await tcpServer((socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 401 No\r\nContent-Type: text/plain\r\n\r\n');
      const pour = () => {
        if (!socket.destroyed) socket.write('x'.repeat(10_000), pour);
      };
      pour();
    });
  });
  const dialled = new Dialled({ baseUrl: `ws://127.0.0.1:${server.port}` });
  expect(await dialled.ended()).toMatchObject({ kind: 'refused', why: expect.stringContaining('(401)') });
  await waitFor('no open connection', () => server.open() === 0);
});

test.each([
  ['a frame larger than any that is taken', 'x'.repeat(256 * 1024 + 1)],
  ['a text frame that is larger than the protocol allows', 'x'.repeat(100_000)],
  ['JSON that is nested deeply', '['.repeat(60_000)],
  ['binary frames', new Uint8Array(500_000)],
])('%s does no harm', async (_what, frame) => {
  const plane = await controlPlane();
  plane.script.afterStart = [frame];
  const { link, output, warnings } = linkTo({ baseUrl: plane.url.replace('http', 'ws') });
  // By now it is sent. Connected is what the link may be for a moment only.
  await plane.started();
  plane.script.afterStart = [];
  output.append('stdout', Buffer.from('still here'));
  link.outputGrew();
  await waitFor('the output', () => plane.stored.includes('still here'));
  expect(warnings).toEqual([]);
});

test('a flood of kills, probes and nonsense is worked through, and the link continues', async () => {
  const plane = await controlPlane();
  const { link, output, kills } = linkTo({ baseUrl: plane.url.replace('http', 'ws') });
  await waitFor('connected', () => link.state === 'connected' && plane.connected);
  const kill = newKillId();
  for (let each = 0; each < 1_000; each += 1) {
    plane.kill(kill);
    plane.send({ type: 'probe' });
    plane.sendRaw('{"type":"reboot"}');
    plane.send({ type: 'ack', of: 'output', offset: 10 ** 12 + each });
  }
  output.append('stdout', Buffer.from('still here'));
  link.outputGrew();
  await waitFor('the output', () => plane.stored.includes('still here'));
  await waitFor('an answer to each probe', () => plane.of('alive').length === 1_000);
  expect(kills).toHaveLength(1_000);
  expect(plane.of('start')).toHaveLength(1);
});

/** Far more than is taken at once, and in all the time that this may take. */
const FLOOD = 50_000;

const kill = (kill: string) => JSON.stringify({ type: 'kill', kill, requested_by: 'x', reason: null });

const FLOODS: readonly [string, (plane: FakeControlPlane) => void][] = [
  ['probes', (plane) => plane.sendUnseen('{"type":"probe"}')],
  ['kills, each another', (plane) => plane.sendUnseen(kill(newKillId()))],
  ['pings', (plane) => plane.ping()],
  ['binary frames', (plane) => plane.sendUnseen(new Uint8Array(1))],
  ['frames that say nothing', (plane) => plane.sendUnseen('')],
];

test.each(sampleOf(FLOODS, 2))(
  'a flood of %s is hung up on once it is more than anyone has to say, and the link tried again',
  async (_what, send) => {
    const plane = await controlPlane();
    const { link, output, warnings, kills } = linkTo({ baseUrl: plane.url.replace('http', 'ws') });
    await waitFor('connected', () => link.state === 'connected' && plane.connected);
    for (let each = 0; each < FLOOD; each += 1) send(plane);
    await waitFor('a link again', () => plane.of('start').length > 1 && link.state === 'connected');
    expect(plane.of('alive').length + kills.length).toBeLessThan(FLOOD);
    expect(warnings).toEqual([
      'disconnected: the control plane sends too much data; the command keeps running, and leash will reconnect',
    ]);
    output.append('stdout', Buffer.from('still here'));
    link.outputGrew();
    await waitFor('the output', () => plane.stored.includes('still here'));
  },
);

test('answers before the answer are not taken without end', async () => {
  const server = await tcpServer((socket) => {
    socket.once('data', () => {
      const pour = () => {
        if (!socket.destroyed) socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(100), pour);
      };
      pour();
    });
  });
  const dialled = new Dialled({ baseUrl: `ws://127.0.0.1:${server.port}` });
  expect((await dialled.ended()).kind).toBe('flooded');
  await waitFor('no open connection', () => server.open() === 0);
});

test('a peer that acks what it does not read does not fill our memory: it is hung up on', async () => {
  const plane = await controlPlane();
  const { link, output } = linkTo({ baseUrl: plane.url.replace('http', 'ws') });
  await waitFor('connected', () => link.state === 'connected');
  plane.pauseReading();
  for (let each = 0; each < 20; each += 1) output.append('stdout', Buffer.alloc(MIB));
  link.outputGrew();
  await waitFor('the end of it', () => {
    // Again and again: an ack of what has not been sent yet is ignored.
    if (plane.connected) {
      for (let offset = 0; offset < output.end; offset += 100_000) plane.send({ type: 'ack', of: 'output', offset });
    }
    return link.lastFailure;
  });
  expect(link.lastFailure).toBe('the control plane does not read what it is sent');
});

/** A port of this machine at which nothing answers a SYN: its owner is stopped, and the queue of connections is full. */
async function blackHole(): Promise<number> {
  const script = `const server = require('net').createServer();
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));`;
  const owner = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void owner.kill('SIGKILL'));
  const port = await new Promise<number>((resolve) => {
    owner.stdout.once('data', (line: Buffer) => resolve(Number(line.toString())));
  });
  owner.kill('SIGSTOP');
  while (await isAnswered(net.connect(port, '127.0.0.1'), port)) {
    // One more in the queue.
  }
  return port;
}

/** Whether a connection to such a port comes about. On this machine a SYN is answered at once, or not for a second. */
async function isAnswered(socket: net.Socket, port: number): Promise<boolean> {
  onTestFinished(() => void socket.destroy());
  let isConnected = false;
  socket.on('connect', () => {
    isConnected = true;
  });
  socket.on('error', () => {
    // Nobody answers at the end of the test, either.
  });
  await waitFor('a SYN on its way', () => isConnected || unansweredSyns(port) > 0);
  return isConnected;
}

/** How many connections to a port of this machine wait for the answer to their SYN. */
function unansweredSyns(port: number): number {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const isWaiting = (line: string) => line.includes(` ${remote} 02 `);
  return fs.readFileSync('/proc/net/tcp', 'utf8').split('\n').filter(isWaiting).length;
}
