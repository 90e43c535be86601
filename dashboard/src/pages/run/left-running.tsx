import type { Run } from '#protocol/api';

/** The events list them all. */
const LISTED = 8;

/** What still runs of a run that has ended. */
export function LeftRunning({ run }: { readonly run: Run }) {
  const { left_running: processes } = run;
  const more = processes.length - LISTED;
  return (
    <div class="left-running" data-left-running={processes.length}>
      <p>
        Left running: {processes.length === 1 ? 'a process' : `${processes.length} processes`} that it started{' '}
        {processes.length === 1 ? 'has' : 'have'} not ended with it.
        {!run.connected && ' Out of touch: a kill waits until the machine is back.'}
      </p>
      <ul>
        {processes.slice(0, LISTED).map(({ pid, command }) => (
          <li key={pid}>
            pid {pid} <code>{command}</code>
          </li>
        ))}
        {more > 0 && <li class="aside">and {more} more, named in the story</li>}
      </ul>
    </div>
  );
}
