/** A wrapper whose clock the test moves, for limits that are an hour long: nothing then depends on the machine's speed. */
import { waitFor } from '#testing/wait-for';
import { type Leash, sabotage } from './leash.ts';

const STEP_MS = 45 * 60_000;

/** Written to stderr when all that the step makes due has been done. */
const MOVED = 'the clock was moved\n';

/** The environment of a wrapper that `moveClock` works for. Timers of less than a minute run as ever. */
export const MOVABLE_CLOCK = sabotage(`
  const now = performance.now.bind(performance);
  const real = { setTimeout, clearTimeout };
  const far = new Map();
  let shiftMs = 0;
  Object.defineProperty(performance, 'now', { value: () => now() + shiftMs });
  globalThis.setTimeout = (ring, ms, ...rest) => {
    const timer = real.setTimeout(ring, ms, ...rest);
    if (ms >= 60_000) far.set(timer, { ring, at: performance.now() + ms });
    return timer;
  };
  globalThis.clearTimeout = (timer) => {
    far.delete(timer);
    real.clearTimeout(timer);
  };
  process.on('SIGWINCH', () => {
    shiftMs += ${STEP_MS};
    for (const [timer, { ring, at }] of [...far]) {
      if (at > performance.now()) continue;
      clearTimeout(timer);
      ring();
    }
    setImmediate(() => setImmediate(() => process.stderr.write(${JSON.stringify(MOVED)})));
  });
`);

/** Moves the wrapper's clock by 45 minutes, as often as is said: two steps are more than an hour, one is less. */
export async function moveClock(leash: Leash, steps: number): Promise<void> {
  for (let step = 0; step < steps; step += 1) {
    const before = moves(leash);
    leash.kill('SIGWINCH');
    await waitFor('the clock to be moved', () => moves(leash) > before || leash.process.exitCode !== null);
  }
}

function moves(leash: Leash): number {
  return leash.stderr.split(MOVED).length - 1;
}
