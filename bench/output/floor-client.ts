/**
 * Runs a command and sends its output to floor-server.ts, with at most as many bytes unacknowledged as the wrapper has.
 *
 *     node bench/output/floor-client.ts PORT COMMAND…
 */
import { spawn } from 'node:child_process';
import { WebSocket } from 'ws';
import { MAX_UNACKED_BYTES } from '#protocol/limits';

const [port, program = '', ...args] = process.argv.slice(2);
const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
socket.on('open', () => {
  let unacked = 0;
  let hasEnded = false;
  const { stdout } = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  stdout.on('data', (bytes: Buffer) => {
    unacked += bytes.length;
    socket.send(bytes);
    if (unacked >= MAX_UNACKED_BYTES) stdout.pause();
  });
  stdout.on('end', () => {
    hasEnded = true;
    if (unacked === 0) process.exit(0);
  });
  socket.on('message', (data: Buffer) => {
    unacked -= Number(data.toString());
    if (unacked < MAX_UNACKED_BYTES) stdout.resume();
    if (hasEnded && unacked === 0) process.exit(0);
  });
});
