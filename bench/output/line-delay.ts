/** How long a line takes from the command's print until a viewer's socket has it. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { waitFor } from '#testing/wait-for';
import { JobWatch } from '../../scripts/local/job-watch.ts';
import type { BenchContext } from '../bench.ts';
import type { BenchPlane } from '../measure/bench-plane.ts';
import type { OutputFloor } from './floor.ts';

const PROGRAM = fileURLToPath(new URL('./line-printer.mjs', import.meta.url));
const JOB = 'bench-lines';
/** Longer than anything that collects lines waits, so that each is sent alone. */
const PAUSE_MS = 80;
/** While a viewer arrives, lines are sent as for none. */
const UNWATCHED_LINES = 10;

/** Milliseconds, a line each. */
export interface LineDelays {
  readonly leash: readonly number[];
  readonly floor: readonly number[];
}

export async function measureLineDelays(
  { options, progress }: BenchContext,
  plane: BenchPlane,
  floor: OutputFloor,
): Promise<LineDelays> {
  progress('from a line to a viewer');
  const lines = (options.isQuick ? 20 : 100) + UNWATCHED_LINES;
  const command = [process.execPath, PROGRAM, String(lines), String(PAUSE_MS)];
  return { floor: await throughFloor(floor, command), leash: await throughLeash(plane, command) };
}

async function throughFloor(floor: OutputFloor, command: readonly string[]): Promise<number[]> {
  const viewer = new WebSocket(floor.watchUrl, { perMessageDeflate: false });
  await once(viewer, 'open');
  const delays = new Delays();
  viewer.on('message', (data: Buffer) => delays.receive(data));
  await once(floor.run(command), 'exit');
  viewer.terminate();
  return delays.ms;
}

async function throughLeash(plane: BenchPlane, command: readonly string[]): Promise<number[]> {
  const delays = new Delays();
  const wrapper = plane.wrapper({ job: JOB, machine: 'm2.example.com', command });
  const { id } = await waitFor('the run', async () => (await plane.admin.runs({ job: JOB }))[0]);
  const watch = await JobWatch.open(plane.url, plane.operatorToken, JOB, {
    output: ({ bytes }) => delays.receive(bytes),
  });
  watch.subscribe(id);
  await wrapper.exit;
  watch.close();
  return delays.ms;
}

class Delays {
  readonly #ms: number[] = [];
  #rest = '';

  /** Without those from before everything knew of the viewer. */
  get ms(): number[] {
    return this.#ms.slice(UNWATCHED_LINES);
  }

  receive(bytes: Uint8Array): void {
    const at = process.hrtime.bigint();
    const lines = (this.#rest + Buffer.from(bytes).toString()).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#ms.push(Number(at - BigInt(line)) / 1e6);
  }
}
