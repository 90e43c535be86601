/** The jobs whose runs are late or missed: nothing of them runs, so no row of the list shows it. */
import { useComputed } from '@preact/signals';
import type { Expectation } from '#protocol/expectations';
import { Clock } from '../../components/time.tsx';
import { isBroken } from '../../format/expectation-labels.ts';
import { jobPath, Link } from '../../router.tsx';
import { store } from '../../state/store.ts';

/** Of many, a few say enough: the rest are a click away. */
const SHOWN = 5;

export function Overdue() {
  const broken = useComputed(() =>
    [...store.expectations.value.values()].filter(isBroken).sort((one, other) => (one.since < other.since ? 1 : -1)),
  ).value;
  if (broken.length === 0) return null;
  const [shown, rest] = [broken.slice(0, SHOWN), broken.slice(SHOWN)];
  return (
    <section class="overdue" aria-label="Runs that have not started">
      <strong>
        {broken.length === 1 ? '1 expected run has not started' : `${broken.length} expected runs have not started`}
      </strong>
      <List expectations={shown} />
      {rest.length > 0 && (
        <details>
          <summary>{rest.length} more</summary>
          <List expectations={rest} />
        </details>
      )}
    </section>
  );
}

function List({ expectations }: { readonly expectations: readonly Expectation[] }) {
  return (
    <ul>
      {expectations.map(({ job, machine, state, due_at }) => (
        <li key={`${job}/${machine}`}>
          <Link to={jobPath(job)}>{job}</Link>
          {machine !== null && ` on ${machine}`}{' '}
          <span class="expected-state" data-state={state}>
            {state}
          </span>
          {due_at !== null && (
            <span class="aside">
              {' due '}
              <Clock at={due_at} />
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
