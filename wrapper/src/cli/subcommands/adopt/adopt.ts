/** `leash adopt`: a guardian starts it when the wrapper of its run has died. Not for users. */
import { RunId } from '#protocol/names';
import { withTimeout } from '#shared/with-timeout';
import { adopt } from '../../../adopt/adopt.ts';
import { findRun, fromFacts } from '../../../adopt/find-run.ts';
import { readConfigFile, withConfig } from '../../../config/config-file.ts';
import { EXIT_STILL_PRINTING, extractGuardedRun, extractHandover } from '../../../guardian/guardian.ts';
import { name } from '../../flags.ts';
import { defineSubcommand } from '../../subcommand.ts';
import { type KillOptions, parseOrphans } from '../orphans.ts';

const HELP = 'leash adopt: take a run over. Guardians start it; it is not for people.\n';

/** A disk that takes longer is not used: until then no process reads the command's output. */
const DISK_MS = 20_000;

interface AdoptOptions {
  readonly run: string;
  /** The run is ended instead of taken over; null: it is taken over. */
  readonly kill: KillOptions | null;
}

export function parseAdopt(argv: readonly string[], env: NodeJS.ProcessEnv): AdoptOptions | null {
  const options = parseOrphans(argv);
  if (options === null) return null;
  // Only guardians of older versions pass the run as an argument.
  const [run = extractGuardedRun(env) ?? ''] = options.runs;
  return { run: name('RUN', RunId, run), kill: options.kill };
}

export const subcommand = defineSubcommand({
  help: HELP,
  parse: parseAdopt,
  run: async ({ run, kill }, { version }) => {
    if (kill === null) return takeOver(run, version);
    return (await import('./kill-for-guardian.ts')).endForGuardian(run, kill);
  },
});

/** @returns the exit code: 0 when nothing is left to do; 3 makes the guardian drain the pipes */
async function takeOver(run: string, version: string): Promise<number> {
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
