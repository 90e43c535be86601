import { END_STATES, LIVE_STATES } from '#protocol/run-state';
import { STATE_LABELS } from '../../format/run-state-labels.ts';

/** Folded: the tip of each bar says the same. */
export function Legend() {
  return (
    <details class="legend">
      <summary>Legend</summary>
      <ul>
        {[...LIVE_STATES, ...END_STATES].map((state) => (
          <li key={state}>
            <span class="bar" data-state={state} data-narrow data-uncertain={state === 'lost'} />
            {STATE_LABELS[state]}
          </li>
        ))}
        <li>
          <span class="bar" data-state="running" data-narrow data-uncertain />
          running, disconnected
        </li>
        <li>
          <span class="bar group" data-state="failed" data-bad>
            <span>12</span>
          </span>
          12 short runs, at least one failed
        </li>
      </ul>
    </details>
  );
}
