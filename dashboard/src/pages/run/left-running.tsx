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
            Left running: {processes.length === 1 ? '1 process' : `${processes.length} processes`} started by this run.{' '}
          </>
        )}
        {related.length > 0 && (
          <>
            Related processes: {relatedTexts(related.slice(0, LISTED))}
            {related.length > LISTED && ` and ${related.length - LISTED} more`}. A kill ends them only if it includes
            them.
          </>
        )}
        {!run.connected && ' Disconnected: a kill waits until the machine reconnects.'}
      </p>
      <ul>
        {processes.slice(0, LISTED).map(({ pid, command_line }) => (
          <li key={pid}>
            PID {pid} <code>{command_line}</code>
          </li>
        ))}
        {more > 0 && <li class="aside">and {more} more, listed in the events</li>}
      </ul>
    </div>
  );
}
