/** Many wrappers in one process: all connect at once, say `start`, dial again as wrappers do, and end at once when killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { readObjectMessage, WRAPPER_SUBPROTOCOL, type WrapperMessage } from '#protocol/wrapper-link';
import { backoffMs } from '#shared/backoff';
import { completeMessage, killingMessage, newRunKey, startMessage } from '#testing/wrapper-messages';
import type { ConnectRequest, Wrapper, WrapperReport } from './crowd-messages.ts';

const HANDSHAKE_TIMEOUT_MS = 30_000;
const RECONNECT_CAP_MS = 10_000;

process.once('message', (connect: ConnectRequest) => {
  connect.wrappers.forEach((wrapper, index) => {
    void keepConnected(connect.url, connect.tokens[index % connect.tokens.length] ?? '', wrapper);
  });
});
process.once('disconnect', () => process.exit(0));

/** Dials until the run has ended, with the pauses of a real wrapper. */
async function keepConnected(url: string, token: string, wrapper: Wrapper): Promise<void> {
  const key = newRunKey();
  for (let attempt = 0; ; attempt += 1) {
    const { ended, reason } = await connection(url, token, wrapper, key);
    if (ended) return;
    report({ type: 'failed', run: wrapper.run, reason });
    await sleep(backoffMs(attempt, 1_000, RECONNECT_CAP_MS));
  }
}

function connection(
  url: string,
  token: string,
  { job, run, machine }: Wrapper,
  key: string,
): Promise<{ ended: boolean; reason: string }> {
  const query = new URLSearchParams({ run, instance: 'thundering-herd', machine });
  const socket = new WebSocket(
    `${url.replace(/^http/, 'ws')}/api/v1/jobs/${job}/connect?${query}`,
    WRAPPER_SUBPROTOCOL,
    {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    },
  );
  const say = (message: WrapperMessage) => socket.send(JSON.stringify(message));
  let reason = 'closed';
  let ended = false;
  socket.on('open', () => say(start(run, key)));
  socket.on('message', (data: Buffer) => {
    const read = readObjectMessage(data.toString());
    if (read.kind !== 'message') return;
    const at = Date.now();
    if (read.message.type === 'ack' && read.message.of === 'start') report({ type: 'started', run, at });
    if (read.message.type === 'kill') {
      report({ type: 'kill', run, kill: read.message.kill, at });
      for (const message of killResponse(read.message.kill)) say(message);
    }
    if (read.message.type === 'ack' && read.message.of === 'complete') {
      report({ type: 'settled', run, at });
      ended = true;
      socket.close(1000);
    }
  });
  return new Promise((resolve) => {
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.on('close', (code) => resolve({ ended, reason: `${code} ${reason}` }));
  });
}

function start(run: string, runKey: string): WrapperMessage {
  const commandLine = '/usr/local/bin/backup --all --verbose --target /srv/backup';
  return startMessage({ run, runKey }, { command_line: commandLine, version: '0.0.0-bench' });
}

function killResponse(kill: string): WrapperMessage[] {
  return [killingMessage(kill, 'term'), killingMessage(kill, 'gone'), completeMessage()];
}

function report(message: WrapperReport): void {
  process.send?.(message);
}
