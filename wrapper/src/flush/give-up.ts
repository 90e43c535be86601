/**
 * Giving up a run that can't be sent: first its output, much later the rest. What counts is how long sending has been
 * tried, by the machine's monotonic clock: neither a changed clock nor time in which the machine was off makes a run old.
 */
import path from 'node:path';
import * as v from 'valibot';
import { describeError, type Log } from '../logging/log.ts';
import { bootId } from '../processes/process-ref.ts';
import { SpooledOutput } from '../spool/spooled-output.ts';
import { readJson, writeFileAtomically } from '../state/files.ts';
import type { RunDirectory } from '../state/run-directory.ts';
import { FORMAT_VERSION, readVersioned } from '../state/run-file.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Then the output is deleted, to free disk space. The end reports that it is missing. */
const OUTPUT_KEPT_FOR_MS = 30 * DAY_MS;
/** What is left is small, but must not pile up without bound. */
const END_KEPT_FOR_MS = 365 * DAY_MS;
/** Counts at most between two attempts: nothing tried in a longer interval. */
const MAX_STEP_MS = DAY_MS;
/** The first attempts are seconds apart: not each is worth a write. */
const WRITE_EVERY_MS = 60_000;
const ATTEMPTS_FILE = 'attempts.json';

const Attempts = v.object({
  version: v.literal(FORMAT_VERSION),
  tried_ms: v.pipe(v.number(), v.finite(), v.minValue(0)),
  /** The last attempt: in which boot of the machine, and when by its monotonic clock. */
  boot_id: v.string(),
  at_ms: v.pipe(v.number(), v.finite()),
});
type Attempts = v.InferOutput<typeof Attempts>;

export interface Moment {
  readonly bootId: string;
  readonly monotonicMs: number;
}

/** For a person. */
export interface GivenUp {
  readonly run: string;
  readonly what: string;
  readonly isAll: boolean;
}

/** Call after a failed attempt. Never fails. */
export async function giveUpIfDue(directory: RunDirectory, log: Log): Promise<GivenUp | null> {
  const { run } = directory.facts;
  try {
    const triedMs = await countAttempt(directory, momentNow());
    if (triedMs >= END_KEPT_FOR_MS) {
      return { run, isAll: true, what: `everything left of it, after ${days(triedMs)} days of failed attempts` };
    }
    const bytes = triedMs >= OUTPUT_KEPT_FOR_MS ? await giveUpOutput(directory) : 0;
    if (bytes === 0) return null;
    const what = `${bytes} bytes of output, after ${days(triedMs)} days of failed attempts; its end is kept and will report the gap`;
    return { run, isAll: false, what };
  } catch (error) {
    // A disk that can't be read or written.
    log.info(`cannot give up run ${run}: ${describeError(error)}`);
    return null;
  }
}

/**
 * Counts a failed attempt.
 *
 * @returns how long sending has been tried
 * @throws file system errors
 */
export async function countAttempt(directory: RunDirectory, now: Moment): Promise<number> {
  const file = path.join(directory.path, ATTEMPTS_FILE);
  const stored = await readJson(file, (text) => readVersioned(Attempts, text));
  const before = stored.kind === 'read' ? stored.value : null;
  const isSameBoot = before?.boot_id === now.bootId;
  const sinceMs = isSameBoot ? Math.min(Math.max(0, now.monotonicMs - before.at_ms), MAX_STEP_MS) : 0;
  if (isSameBoot && sinceMs < WRITE_EVERY_MS) return before.tried_ms;
  const attempts: Attempts = {
    version: FORMAT_VERSION,
    tried_ms: (before?.tried_ms ?? 0) + sinceMs,
    boot_id: now.bootId,
    at_ms: now.monotonicMs,
  };
  await writeFileAtomically(file, JSON.stringify(attempts));
  return attempts.tried_ms;
}

/** The same for all processes of this machine. */
export function momentNow(): Moment {
  return { bootId: bootId(), monotonicMs: Number(process.hrtime.bigint() / 1_000_000n) };
}

/** @returns how many bytes of output there were */
async function giveUpOutput(directory: RunDirectory): Promise<number> {
  const output = await SpooledOutput.open(directory.path, await directory.finalOffset());
  const bytes = output.end - output.start;
  await output.close();
  if (bytes > 0) await directory.dropOutput(output.end);
  return bytes;
}

function days(ms: number): number {
  return Math.floor(ms / DAY_MS);
}
