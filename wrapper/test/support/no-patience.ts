import { sabotage } from './leash.ts';

/**
 * Makes every wait of a second or more endless: a wrapper that ends has not waited that long for anything. The flusher
 * that it starts is unaffected.
 */
export const noPatience = sabotage(`
  if (process.argv[2] === 'run') {
    const wait = globalThis.setTimeout;
    globalThis.setTimeout = (done, ms, ...more) => wait(done, ms >= 1000 ? 2 ** 30 : ms, ...more);
    // The turns of a running clock, by which longer waits are counted.
    globalThis.setInterval = (done, _ms, ...more) => wait(done, 2 ** 30, ...more);
  }
`);
