/** Signals whatever process floor-server.ts names. Its argument is the port. */
import { WebSocket } from 'ws';

const socket = new WebSocket(`ws://127.0.0.1:${process.argv[2]}`, { perMessageDeflate: false });
socket.on('open', () => process.send?.('connected'));
socket.on('message', (data: Buffer) => process.kill(JSON.parse(data.toString()).pid, 'SIGTERM'));
process.once('disconnect', () => process.exit(0));
