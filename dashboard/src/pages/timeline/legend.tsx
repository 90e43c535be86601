import { END_STATES } from '#protocol/run-state';
import { STATE_WORDS } from '../../format/run-state-labels.ts';

/** What the marks mean. Folded: what one points at tells as well. */
export function Legend() {
  return (
    <details class="legend">
      <summary>What the marks mean</summary>
      <ul>
        {(['running', 'killing', ...END_STATES] as const).map((state) => (
          <li key={state}>
            <span class="bar" data-state={state} data-narrow data-uncertain={state === 'lost'} />
            {STATE_WORDS[state]}
          </li>
        ))}
        <li>
          <span class="bar" data-state="running" data-narrow data-uncertain />
          running, out of touch
        </li>
        <li>
          <span class="bar group" data-state="failed" data-bad>
            <span>12</span>
          </span>
          12 runs too short to be drawn apart, a bad one among them
        </li>
      </ul>
    </details>
  );
}
