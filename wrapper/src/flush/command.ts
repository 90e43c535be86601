/** `leash flush`. */
import { EXIT_ERRORED } from '#protocol/run-state';
import type { FlushArgs } from '../cli/args.ts';
import { configure } from '../cli/control-plane.ts';
import { type Operation, operate } from '../cli/operate.ts';
import { openState } from '../run/state.ts';
import { type Flushed, flushOnce, keepFlushing } from './flusher.ts';

const EXIT_LEFT = 1;

/** @returns the exit code to leave with */
export function flushCommand(args: FlushArgs): Promise<number> {
  return operate({ name: 'flush', logFile: args.logFile, verbose: args.verbose }, (operation) =>
    flush(args, operation),
  );
}

async function flush(args: FlushArgs, { settings, log, say }: Operation): Promise<number> {
  const configuration = configure(args, settings);
  if (configuration.kind === 'unsupervised') {
    log.tell(configuration.why);
    return EXIT_ERRORED;
  }
  const state = await openState(settings);
  if (state.kind === 'unusable') {
    log.tell(`there is no state directory: ${state.why}`);
    return EXIT_ERRORED;
  }
  const { controlPlane } = configuration;
  const flushed =
    args.forMs === null
      ? await flushOnce(state, controlPlane, log)
      : await keepFlushing(state, controlPlane, args.forMs, log);
  if (flushed === null) {
    say('another `leash flush` is at it');
    return 0;
  }
  report(flushed, say);
  return flushed.left.length === 0 ? 0 : EXIT_LEFT;
}

function report({ sent, left, elsewhere }: Flushed, say: (line: string) => void): void {
  if (left.length > 0 || sent > 0) say(`${sent} sent, ${left.length} left`);
  else if (elsewhere === 0) say('nothing is left to send');
  if (elsewhere > 0) say(`${elsewhere} being sent by another \`leash flush\``);
  for (const { run, why } of left) say(`  ${run}: ${why}`);
}
