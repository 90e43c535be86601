/** `leash adopt --kill`: what a guardian starts when the wrapper of a run has died that is to end with it. Nobody types it. */

import { extractHandover } from '../../guardian/guardian.ts';
import { killAndDescribe, removeSpent } from '../../orphans/orphans.ts';
import { openProcessTree } from '../../processes/process-tree.ts';
import { openStateOrFallback } from '../../state/state-directory.ts';
import type { KillOptions } from '../args.ts';
import { EXIT_LEFT, orphansCommand } from './orphans.ts';
import { runSubcommand } from './subcommand.ts';

/**
 * By what the guardian knows of the run, which has a record only where there is a disk for it, and not at once.
 *
 * @returns the exit code to leave with
 */
export function endForGuardian(run: string, kill: KillOptions): Promise<number> {
  const origin = extractHandover(process.env, run).facts?.process_tree ?? null;
  if (origin === null) return orphansCommand({ runs: [run], kill, verbose: false });
  return runSubcommand({ name: 'adopt', logFile: null, verbose: false }, async ({ settings, log }) => {
    const { survivors } = await killAndDescribe(openProcessTree(origin), kill, log);
    const state = await openStateOrFallback(settings);
    if (state.kind === 'usable') await removeSpent(state);
    return survivors.length === 0 ? 0 : EXIT_LEFT;
  });
}
