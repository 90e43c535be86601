/** Operators' subcommands as processes, where it matters what stdout is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import type { WebSocket } from 'ws';
import { KIB, MIB } from '#protocol/limits';
import { encodeOutputFrame } from '#protocol/output-frame';
import { waitFor } from '#testing/wait-for';
import { aRun } from '../support/api-resources.ts';
import { NODE, PROGRAM } from '../support/leash.ts';
import { OperatorPlane } from '../support/operator-plane.ts';

const TOTAL = 6 * MIB;
const FRAME = 64 * KIB;

function operate(plane: OperatorPlane, ...args: string[]) {
  const env = { ...process.env, LEASH_URL: plane.url, LEASH_TOKEN: 'secret', LEASH_CONFIG: '/dev/null' };
  const child = spawn(NODE, [PROGRAM, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

test('logs -f acks what its reader has taken, and writes everything before it exits', async () => {
  const plane = await OperatorPlane.start();
  const ended = { state: 'succeeded', final: true, output_bytes: TOTAL, output_total_bytes: TOTAL } as const;
  const run = aRun(ended);
  plane.setRuns(run);
  let sent = 0;
  let acked = 0;
  let pongs = 0;
  const send = (socket: WebSocket, upTo: number) => {
    for (; sent < upTo; sent += FRAME) {
      socket.send(
        encodeOutputFrame({ stream: 'stdout', start: sent, bytes: new Uint8Array(FRAME).fill(sent / FRAME) }),
      );
    }
  };
  plane.onViewer = (message, socket) => {
    if (message.type === 'pong') pongs += 1;
    else if (message.type === 'ack') {
      acked = message.offset;
      // As the job's object does: what is unacked is bounded.
      send(socket, Math.min(TOTAL, acked + MIB));
    } else {
      plane.send({ type: 'subscribed', run: run.id, offset: 0 });
      send(socket, 2 * MIB);
      plane.send({ type: 'ping', sent: 1 });
    }
  };

  const logs = operate(plane, 'logs', '-f', run.id);
  await waitFor('the program to have received the output', () => pongs > 0);
  // It may have a moment's worth in the pipe.
  expect(acked).toBeLessThan(MIB);
  const [output, [code]] = await Promise.all([buffer(logs.stdout), once(logs, 'exit')]);
  expect(output.length).toBe(TOTAL);
  expect(output.every((byte, at) => byte === (Math.floor(at / FRAME) & 0xff))).toBe(true);
  expect(code).toBe(0);
});

test('a long list gets to a slow reader as a whole', async () => {
  const plane = await OperatorPlane.start();
  plane.setRuns(...Array.from({ length: 500 }, () => aRun({ command_line: 'x'.repeat(2_000) })));
  const ps = operate(plane, 'ps', '--json');
  await waitFor('the list to be sent', () => plane.requests.length > 0);
  const printed = await buffer(ps.stdout);
  expect(JSON.parse(printed.toString())).toHaveLength(500);
});
