/** Goes through thousands of processes in slices, so that it holds up nothing else. */
import { performance } from 'node:perf_hooks';

/** The longest that it may hold up everything else at a time. */
const SLICE_MS = 10;

export async function* inSlices<Item>(items: readonly Item[]): AsyncGenerator<Item, void, undefined> {
  let sliceEnd = performance.now() + SLICE_MS;
  for (const item of items) {
    yield item;
    if (performance.now() < sliceEnd) continue;
    await new Promise((resolve) => setImmediate(resolve));
    sliceEnd = performance.now() + SLICE_MS;
  }
}
