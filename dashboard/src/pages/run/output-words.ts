/** What the output's pane says, in words. */
import type { Run, RunEvent } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import type { Matches } from '../../output/terminal-search.ts';
import { bytesText } from '../../parts/quantity.ts';

/** Which part of the log is loaded; what of that can be seen depends on what was printed. */
export function loadedText(start: number, end: number, total: number): string {
  if (start === 0 && end >= total) return 'All of it is loaded';
  if (end >= total) return `Loaded: the last ${bytesText(total - start)} of ${bytesText(total)}`;
  return `Loaded: ${bytesText(start)} to ${bytesText(end)} of ${bytesText(total)}`;
}

/** Where the reader is about to be, if anywhere else; else what there is to see. */
export function positionText(
  run: Run,
  loaded: { readonly start: number; readonly next: number },
  goal: number | null,
  total: number,
): string {
  if (goal !== null) return aimText(goal, total);
  return total === 0 ? silenceOf(run) : loadedText(loaded.start, loaded.next, total);
}

/** Where the reader is about to be. */
export function aimText(offset: number, total: number): string {
  return offset >= total ? 'To the end' : `To ${bytesText(offset)} of ${bytesText(total)}`;
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
  return bytes === 0 ? null : `${bytesText(bytes)} of it ${bytes === 1 ? 'is' : 'are'} missing, see the story`;
}

/** What was copied, when nothing was selected. */
export function copiedText(start: number, end: number, total: number): string {
  if (start === 0 && end >= total) return 'All of it is copied';
  return `Copied what is loaded: ${bytesText(end - start)} of ${bytesText(total)}`;
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

/** What it means that there is no output. */
function silenceOf(run: Run): string {
  if (isLive(run.state) && run.connected) return 'It has printed nothing yet.';
  return run.final ? 'It printed nothing.' : 'Nothing that it printed has arrived.';
}
