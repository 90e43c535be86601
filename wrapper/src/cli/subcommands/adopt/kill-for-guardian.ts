/** `leash adopt --kill`: a guardian starts it when the wrapper of a `--wrapper-death kill` run has died. Not for users. */
import { extractHandover } from '../../../guardian/guardian.ts';
import { killAndDescribe, removeSpent } from '../../../orphans/orphans.ts';
import { openProcessTree } from '../../../processes/process-tree.ts';
import { openStateOrFallback } from '../../../state/state-directory.ts';
import { runLocally } from '../../local-operation.ts';
import { EXIT_LEFT, type KillOptions, runOrphans } from '../orphans.ts';

/**
 * Uses what the guardian knows of the run: a record may not exist yet, or there is no disk for it.
 *
 * @returns the exit code to leave with
 */
export function endForGuardian(run: string, kill: KillOptions): Promise<number> {
  const origin = extractHandover(process.env, run).facts?.process_tree ?? null;
  if (origin === null) return runOrphans({ runs: [run], kill, verbose: false });
  return runLocally({ name: 'adopt', logFile: null, verbose: false }, async ({ settings, log }) => {
    const { survivors } = await killAndDescribe(openProcessTree(origin), kill, log);
    const state = await openStateOrFallback(settings);
    if (state.kind === 'usable') await removeSpent(state);
    return survivors.length === 0 ? 0 : EXIT_LEFT;
  });
}
