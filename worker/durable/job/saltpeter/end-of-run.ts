/** Why a run under Saltpeter's wrapper ended, from what that reports. Pure. */
import { type EndReason, rawExitCode, reportedEnd } from '#protocol/run-state';
import { readRetcode, type SaltpeterNote } from '#protocol/saltpeter-link';
import type { Complete } from '#protocol/wrapper-link';

type End = Pick<Complete, 'exit_code' | 'command_exit_code' | 'signal' | 'reason'>;

/** The exit codes of a command that a kill has ended; the wrapper turns its own exit code into the first of them. */
const KILLED = [143, 137];

/**
 * @param note what the wrapper says in its last line of output: it knows best
 * @param hadKill whether a kill was sent to it. Versions that don't say so end with the code of a kill all the same
 */
export function endOf(retcode: number, note: SaltpeterNote | null, hadKill: boolean): End {
  const raw = readRetcode(retcode);
  const reason = reasonOf();
  const isOwn = reason === 'exited' || reason === 'signaled';
  return {
    exit_code: reportedEnd(reason, raw).exitCode,
    // After a timeout or a kill the wrapper reports a code of its own in place of the command's.
    command_exit_code: raw.kind === 'exited' && isOwn ? raw.code : null,
    signal: raw.kind === 'signaled' ? raw.signal : null,
    reason,
  };

  function reasonOf(): EndReason {
    if (note === 'timeout') return 'timeout';
    if (hadKill && (note === 'kill' || KILLED.includes(rawExitCode(raw)))) return 'operator';
    return raw.kind;
  }
}
