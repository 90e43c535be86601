/** What the fields of a resource mean, for readers of the OpenAPI document. Here, so that the page need not carry it. */
import type { Kill, Run, Target } from '#protocol/api';

export const RUN_FIELDS: Record<keyof Run, string> = {
  id: 'A ULID, made by the wrapper.',
  job: 'The name of what runs.',
  instance: 'One firing of the job; several machines may share it.',
  machine: 'Where it runs.',
  state:
    'While it lives `running`, or `killing` once a first signal was sent; then how it ended. An end stands, except `lost` as long as `final` is false.',
  final:
    'Whether nothing can change the state any more: false while it lives, and for `lost` until the true end is known.',
  connected:
    'Whether its wrapper is connected, as far as the control plane knows. Of a run that has ended: whether what it left running can be reached.',
  out_of_touch_since:
    'Since when nothing was heard of a run that is not over for good; null while its wrapper is connected.',
  exit_code: 'The code the run is reported with, and `leash run` exits with; null while it runs.',
  command_exit_code: 'What the command itself exited with; null when nobody knows, or a signal ended it.',
  signal: 'The signal that ended the command, if one did.',
  reason: 'Why it ended; null while it runs.',
  started_at: 'When the command was started.',
  ended_at: 'When it ended; of a lost run, when it was given up. Null while it runs.',
  pid: 'The process id of the command on its machine; null if it was never started.',
  command_line: 'The command line, at most 4 KiB of it, with secrets hidden.',
  wrapper_version: 'The version of `leash` that runs it.',
  successor:
    'Which wrapper supervises it: 0 the one that started the command; n the n-th that took the run over, after the one before was killed.',
  user: 'Whom the command runs as: a name, or the number of a user without one; null when the wrapper did not report it.',
  host: 'Where it runs: whether root started the wrapper, the operating system, and the version of Node.js; null when the wrapper did not report it.',
  timeout_ms: 'How long the wrapper lets it run; null for as long as it takes.',
  grace_ms:
    'How long after the first signal the wrapper sends SIGKILL when it ends the run by itself, or a kill does not say.',
  kill_signal: 'The signal that is sent first when the wrapper ends the run by itself, or a kill does not say.',
  left_running:
    'What still runs of it after its end, as far as it was found: at most 64 processes, with their command lines, secrets hidden. A kill that names the run ends them; those with a `mark` only if it includes what is related.',
  output_bytes: 'How many bytes its output has so far; in lists as of the last change of state.',
  output_total_bytes:
    'How many bytes its output has in all, as its wrapper reported with the end of the run; null until then. What `output_bytes` lacks has not arrived yet. After the death of a wrapper: as many as had been saved by then.',
  seq: 'Goes up with every change: of two versions of a run the one with the higher `seq` is the newer.',
};

export const KILL_FIELDS: Record<keyof Kill, string> = {
  id: 'A ULID, made by the control plane: ids go up with time.',
  job: 'The job whose runs it is for.',
  kind: 'What is ordered; today always a kill.',
  state:
    '`queued`: no wrapper has acknowledged it yet. `delivered`: one has, and not all targets have ended. `settled`: they have, and so have their runs. `expired`: nobody came in time.',
  run: 'The run it is for; null for all that match.',
  instance: 'The instance it is for; null for all.',
  machine: 'The machine it is for: a name or glob, or several, separated by commas; null for all.',
  signal: 'The first signal that is sent; null for each run’s own.',
  grace_ms: 'How long after the first signal SIGKILL is sent to what is left; null for each run’s own.',
  include:
    '`related`: related processes (they carry the run’s `LEASH_RUN_ID` or hold its output pipe without being part of its process tree) are killed as well, and so is what `LEASH_KEEP=1` leaves out. Null: neither.',
  reason: 'Why, in the words of whoever ordered it.',
  requested_by: 'The name of the token it was ordered with.',
  request_id:
    'Names the call that ordered it in the logs of the control plane and of the wrappers; null for one from before there were such.',
  batch:
    'The same for all kills that one call has made, and what `GET /kills?batch=` lists; null for one that a call has made alone.',
  requested_at: 'When it was ordered.',
  expires_at: 'Until when it goes on matching runs that connect late.',
  targets: 'The runs it was found to be for, and how far it has come at each.',
  found_nothing:
    'Nothing that it is for runs now: the control plane has looked, and found no run, or only what had ended. A run that started before and connects before `expires_at` is still ended, unless the kill names another.',
  seq: 'Goes up with every change: of two versions of a kill the one with the higher `seq` is the newer.',
};

export const TARGET_FIELDS: Record<keyof Target, string> = {
  run: 'The id of the run.',
  machine: 'Where it runs.',
  state:
    '`pending`: the wrapper is out of touch. `sent`: the kill was sent to it. `delivered`: it has acknowledged the kill. `term`: the first signal was sent. `kill`: SIGKILL was. `gone`: nothing is left but `survivors` and `unnamed_survivors`. `refused`: it had ended by itself. `lost`: the run counts as lost.',
  signal:
    'The first signal at this run: its own where the kill names none; null for a target from before this was told.',
  exit_code: 'The code the run is reported with; null while it runs.',
  survivors: 'The ids of processes that could not be ended.',
  unnamed_survivors:
    'Whether others could not be ended whose ids are not known: something that no look has shown still holds the output.',
  related:
    'What was left alone: processes that carry the run’s mark and are not proven to be its own, and those that `LEASH_KEEP=1` leaves out (`kept`), with their parents. Of a kill of many runs not all are named here, but in the runs’ events.',
  related_count: 'How many those are.',
};
