/** What the output's pane says, in words. */

import type { Run, RunEvent } from '#protocol/api';
import { type EndReason, isLive } from '#protocol/run-state';
import { formatBytes } from '#shared/format-bytes';
import type { Matches } from '../../output/terminal-search.ts';

/** Which part of the log is loaded; what of that can be seen depends on what was printed. */
export function loadedText(start: number, end: number, total: number): string {
  if (start === 0 && end >= total) return 'All of it is loaded';
  if (end >= total) return `Loaded: the last ${formatBytes(total - start)} of ${formatBytes(total)}`;
  return `Loaded: ${formatBytes(start)} to ${formatBytes(end)} of ${formatBytes(total)}`;
}

/** Where the reader is about to be, if anywhere else; else what there is to see. */
export function positionText(
  run: Run,
  loaded: { readonly start: number; readonly next: number },
  goal: number | null,
  total: number,
): string {
  if (goal !== null) return aimText(goal, total);
  if (total === 0) return noOutputText(run);
  const owed = owedBytes(run, total);
  if (owed === 0) return loadedText(loaded.start, loaded.next, total);
  const isAll = loaded.start === 0 && loaded.next >= total;
  const text = isAll
    ? `Loaded: all ${formatBytes(total)} that have arrived`
    : loadedText(loaded.start, loaded.next, total);
  return `${text}; ${formatBytes(owed)} more ${owed === 1 ? 'is' : 'are'} still on its machine`;
}

/** Where the reader is about to be. */
export function aimText(offset: number, total: number): string {
  return offset >= total ? 'To the end' : `To ${formatBytes(offset)} of ${formatBytes(total)}`;
}

/** What has been told of missing bytes. */
export function gapEvents(events: readonly RunEvent[]) {
  return events.filter((event) => event.type === 'output_gap' || event.type === 'output_trimmed');
}

/** What a reader of the whole log would look for in vain; null when nothing is known to be missing. */
export function missingText(events: readonly RunEvent[]): string | null {
  let bytes = 0;
  let isTrimmed = false;
  for (const event of gapEvents(events)) {
    if (event.type === 'output_gap') bytes += event.to - event.from;
    else isTrimmed = true;
  }
  if (isTrimmed) return 'Not all of it was kept, see the story';
  return bytes === 0 ? null : `${formatBytes(bytes)} of it ${bytes === 1 ? 'is' : 'are'} missing, see the story`;
}

/** What was copied, when nothing was selected. */
export function copiedText(start: number, end: number, total: number): string {
  if (start === 0 && end >= total) return 'All of it is copied';
  return `Copied what is loaded: ${formatBytes(end - start)} of ${formatBytes(total)}`;
}

export function matchesText(matches: Matches | null): string {
  if (matches === null || matches.count === 0) return 'No match';
  const count = `${matches.count}${matches.isMore ? '+' : ''}`;
  return matches.current === 0 ? `${count} found` : `${matches.current} of ${count}`;
}

/** What the whole log is called on the reader's disk. */
export function fileName(run: Pick<Run, 'job' | 'machine' | 'id'>): string {
  return `${run.job}-${run.machine}-${run.id}.log`;
}

/** What its wrapper has reported and not delivered yet: it may be uploaded long after the end. */
function owedBytes(run: Run, total: number): number {
  return Math.max(0, (run.output_total_bytes ?? 0) - total);
}

/**
 * What is known of a run of which no output has arrived. That it printed nothing can only be said by a wrapper that read
 * its output from the start to the end.
 */
export function noOutputText(run: Run): string {
  const owed = owedBytes(run, 0);
  if (owed > 0)
    return `No output has arrived yet: ${formatBytes(owed)} ${owed === 1 ? 'is' : 'are'} still on its machine.`;
  if (isLive(run.state)) return noOutputYetText(run);
  const sentence = NO_OUTPUT_SENTENCES[run.reason ?? 'silence'];
  if (sentence !== PRINTED_NOTHING) return sentence;
  if (run.successor > 0) return WRAPPER_KILLED;
  return run.output_total_bytes === null ? 'No output has arrived.' : sentence;
}

function noOutputYetText({ connected, successor }: Run): string {
  if (!connected) return 'No output had arrived when it got out of touch; its wrapper keeps what it prints.';
  const killed = successor === 0 ? '' : ' Its first wrapper was killed: what that one had not saved is lost.';
  return `No output has arrived yet.${killed}`;
}

const PRINTED_NOTHING = 'It printed nothing.';
const WRAPPER_KILLED =
  'No output has arrived. A wrapper of it was killed before it had saved any: whether the command printed something is not known.';

const NO_OUTPUT_SENTENCES: Readonly<Record<EndReason, string>> = {
  exited: PRINTED_NOTHING,
  signaled: PRINTED_NOTHING,
  local_signal: PRINTED_NOTHING,
  operator: PRINTED_NOTHING,
  timeout: PRINTED_NOTHING,
  idle_timeout: PRINTED_NOTHING,
  offline_limit: PRINTED_NOTHING,
  silence: 'No output had arrived when it was last heard of. Whether it printed something since is not known.',
  wrapper_died:
    'No output has arrived. Its wrapper died before it had saved any: whether the command printed something is not known.',
  exit_unknown: WRAPPER_KILLED,
  start_failed: 'The command did not start, so it printed nothing.',
  wrapper_failed: 'No output has arrived. The wrapper failed: whether the command printed something is not known.',
};
