/** `leash adopt`: a guardian starts it when the wrapper of its run has died. Not for users. */
import { withTimeout } from '#shared/with-timeout';
import { adopt } from '../../adopt/adopt.ts';
import { findRun, fromFacts } from '../../adopt/find-run.ts';
import { readConfigFile, withConfig } from '../../config/config-file.ts';
import { EXIT_STILL_PRINTING, extractHandover } from '../../guardian/guardian.ts';

/** A disk that takes longer is not used: until then no process reads the command's output. */
const DISK_MS = 20_000;

/** @returns the exit code: 0 when nothing is left to do; 3 makes the guardian drain the pipes */
export async function adoptCommand(run: string, version: string): Promise<number> {
  const { facts, secrets } = extractHandover(process.env, run);
  const settings = withConfig(process.env, readConfigFile(process.env).values);
  const found = await withTimeout(findRun(run, facts, settings), DISK_MS, { fallback: fromFacts(facts, null) });
  switch (found.kind) {
    case 'taken':
      return 0;
    case 'unknown':
      return EXIT_STILL_PRINTING;
    case 'adoptable':
      return adopt(found.run, secrets, settings, version);
  }
}
