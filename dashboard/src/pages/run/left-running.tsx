import type { Run } from '#protocol/api';
import { relatedTexts, sortLeft } from '../../state/related.ts';

/** The events list them all. */
const LISTED = 8;

/** What still runs of a run that has ended. */
export function LeftRunning({ run }: { readonly run: Run }) {
  const { own: processes, related } = sortLeft(run.left_running);
  const more = processes.length - LISTED;
  return (
    <div class="left-running" data-left-running={run.left_running.length}>
      <p>
        {processes.length > 0 && (
          <>
            Left running: {processes.length === 1 ? 'a process' : `${processes.length} processes`} that it started{' '}
            {processes.length === 1 ? 'has' : 'have'} not ended with it.{' '}
          </>
        )}
        {related.length > 0 && (
          <>
            Related processes: {relatedTexts(related.slice(0, LISTED))}
            {related.length > LISTED && ` and ${related.length - LISTED} more`}. A kill leaves that alone unless it
            includes it.
          </>
        )}
        {!run.connected && ' Out of touch: a kill waits until the machine is back.'}
      </p>
      <ul>
        {processes.slice(0, LISTED).map(({ pid, command_line }) => (
          <li key={pid}>
            pid {pid} <code>{command_line}</code>
          </li>
        ))}
        {more > 0 && <li class="aside">and {more} more, named in the story</li>}
      </ul>
    </div>
  );
}
