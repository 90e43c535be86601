/** How fast one wrapper's output gets into storage: from the command's first byte until the control plane has the last. */
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '#testing/wait-for';
import type { BenchContext } from '../bench.ts';
import type { BenchPlane } from '../measure/bench-plane.ts';
import { megabytesPerSecond } from './command-time.ts';
import type { OutputFloor } from './floor.ts';
import { producer, readProduction } from './produce.ts';

const JOB = 'bench-delivery';
const POLL_MS = 50;

export interface Delivery {
  readonly megabytesPerSecond: number;
  readonly floorMegabytesPerSecond: number;
}

export async function measureDelivery(
  { options, progress }: BenchContext,
  plane: BenchPlane,
  floor: OutputFloor,
): Promise<Delivery[]> {
  const noted = join(plane.directory, 'produced');
  const command = producer(options.outputBytes, Number.POSITIVE_INFINITY, noted);
  const rate = () => megabytesPerSecond(options.outputBytes, Date.now() - readProduction(noted).beganAtMs);
  const rounds = options.isQuick ? 1 : 3;
  const deliveries: Delivery[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    progress(`delivery into storage, ${round} of ${rounds}`);
    await once(floor.run(command), 'exit');
    const floorMegabytesPerSecond = rate();
    const instance = `delivery-${round}`;
    const wrapper = plane.wrapper({ job: JOB, machine: 'm1.example.com', instance, command });
    const { id } = await waitFor('the run', async () => (await plane.admin.runs({ job: JOB, instance }))[0]);
    while ((await plane.admin.run(id)).output_bytes < options.outputBytes) await sleep(POLL_MS);
    deliveries.push({ megabytesPerSecond: rate(), floorMegabytesPerSecond });
    await wrapper.exit;
  }
  return deliveries;
}
