/** When a run that can't be sent is given up: step by step, and never before it was tried since the machine came up. */
import { describeError, type Log } from '../logging/log.ts';
import { LeftoverOutput } from '../spool/leftover-output.ts';
import { momentNow } from '../state/attempts.ts';
import type { RunDirectory } from '../state/run-directory.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
/** By then the output goes, which takes up room. That it is missing is told together with the end. */
const OUTPUT_KEPT_FOR_MS = 30 * DAY_MS;
/** What is left then is small, but must not pile up without bound. */
const END_KEPT_FOR_MS = 365 * DAY_MS;

/** For a person. */
export interface GivenUp {
  readonly run: string;
  readonly what: string;
  readonly isAll: boolean;
}

/** Call after a vain attempt. Never fails. */
export async function giveUpIfDue(directory: RunDirectory, log: Log): Promise<GivenUp | null> {
  const { run } = directory.facts;
  try {
    const triedMs = await directory.noteAttempt(momentNow());
    if (triedMs >= END_KEPT_FOR_MS) {
      return { run, isAll: true, what: `what is left of it: it could not be sent in ${days(triedMs)} days of trying` };
    }
    const bytes = triedMs >= OUTPUT_KEPT_FOR_MS ? await giveUpOutput(directory) : 0;
    if (bytes === 0) return null;
    const what = `${bytes} bytes of its output: they could not be sent in ${days(triedMs)} days of trying; its end is kept, and that they are missing`;
    return { run, isAll: false, what };
  } catch (error) {
    // A disk that can't be read or written.
    log.info(`run ${run} can't be given up: ${describeError(error)}`);
    return null;
  }
}

/** @returns how many bytes of output there were */
async function giveUpOutput(directory: RunDirectory): Promise<number> {
  const output = await LeftoverOutput.open(directory.path, await directory.finalOffset());
  const bytes = output.end - output.start;
  await output.close();
  if (bytes > 0) await directory.dropOutput(output.end);
  return bytes;
}

function days(ms: number): number {
  return Math.floor(ms / DAY_MS);
}
