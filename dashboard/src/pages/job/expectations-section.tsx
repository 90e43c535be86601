/** When runs of the job are expected, whether that holds, and how an admin sets it. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Session } from '#protocol/api';
import type { Expectation, Expected, Habits } from '#protocol/expectations';
import { expectedText } from '#shared/expected-text';
import { deleteExpectation, fetchExpectations, putExpectation } from '../../api/expectation-calls.ts';
import { Refusal, useDialogRequest } from '../../components/dialog-request.tsx';
import { Ago, Clock } from '../../components/time.tsx';
import { isBroken, placeText } from '../../format/expectation-labels.ts';
import { Link, runPath } from '../../router.tsx';
import { mayAdministerJob } from '../../state/rights.ts';
import { store } from '../../state/store.ts';
import { ExpectationDialog } from './expectation-dialog.tsx';
import { suggestion, usualText } from './habits.ts';

interface ExpectationsSectionProps {
  readonly job: string;
  readonly who: Session;
  readonly machines: readonly string[];
  /** Changes when a run has started: the next one is due later then. */
  readonly lastStarted: string | null;
}

/** One line, which is there before it is known: what is below stays where it is. */
export function ExpectationsSection({ job, who, machines, lastStarted }: ExpectationsSectionProps) {
  const listed = useSignal<readonly Expectation[] | null>(null);
  const usual = useSignal<Habits | null>(null);
  const edited = useSignal<Expectation | 'new' | null>(null);
  const request = useDialogRequest();
  const reload = async () => {
    const answer = await fetchExpectations(job);
    // What hinders it hinders the rest of the page as well, which says so.
    if (!answer.ok) return;
    listed.value = answer.value.expectations;
    usual.value = answer.value.usual;
  };
  const changes = store.expectationsOf(job);
  useEffect(() => void reload(), [job, lastStarted, changes]);
  const mayEdit = mayAdministerJob(who, job);
  const set = (expected: Expected) =>
    request.send(
      () => putExpectation(job, null, expected),
      () => void reload(),
    );
  const remove = ({ machine }: Expectation) =>
    request.send(
      () => deleteExpectation(job, machine),
      () => void reload(),
    );
  return (
    <section aria-label="Expected runs">
      <details class="job-expected">
        <summary>
          <strong>Expected</strong> <Summary expectations={listed.value} usual={usualText(usual.value)} />
        </summary>
        <ul>
          {listed.value?.map((expectation) => (
            <li key={expectation.machine ?? ''} data-state={expectation.state}>
              <span>
                {placeText(expectation)}: {expectedText(expectation)}
              </span>
              <State expectation={expectation} />
              {mayEdit && (
                <span class="job-expected-do">
                  <button type="button" class="button quiet" onClick={() => (edited.value = expectation)}>
                    Edit…
                  </button>
                  <button type="button" class="button quiet" onClick={() => void remove(expectation)}>
                    Remove
                  </button>
                </span>
              )}
            </li>
          ))}
        </ul>
        <Usual usual={usual.value} isOffered={mayEdit && listed.value?.length === 0} accept={set} />
        {mayEdit && (
          <button type="button" class="button" onClick={() => (edited.value = 'new')}>
            Expect runs…
          </button>
        )}
        <Refusal consequence="Couldn’t change it" request={request} />
      </details>
      {edited.value !== null && (
        <ExpectationDialog
          job={job}
          machines={machines}
          edited={edited.value === 'new' ? null : edited.value}
          close={() => (edited.value = null)}
          saved={() => void reload()}
        />
      )}
    </section>
  );
}

interface SummaryProps {
  readonly expectations: readonly Expectation[] | null;
  readonly usual: string | null;
}

function Summary({ expectations, usual }: SummaryProps) {
  if (expectations === null) return <span class="aside">loading…</span>;
  const broken = expectations.filter(isBroken);
  const [first] = broken.length > 0 ? broken : expectations;
  if (first === undefined)
    return <span class="aside">{usual === null ? 'no times set' : `no times set; ${usual}`}</span>;
  const more = expectations.length - 1;
  return (
    <>
      <span class="aside">
        {expectedText(first)} on {placeText(first)}
        {more > 0 && `, and ${more} more`}
      </span>{' '}
      <State expectation={first} />
    </>
  );
}

function State({ expectation }: { readonly expectation: Expectation }) {
  const { state, due_at, problem, last_run, last_run_skipped, job } = expectation;
  if (problem !== null)
    return (
      <span class="expected-state" data-state="missed">
        {problem}
      </span>
    );
  return (
    <span class="expected-state" data-state={state}>
      {isBroken(expectation) && <strong>{state}</strong>}
      {due_at !== null && (
        <>
          {' due '}
          <Clock at={due_at} />
        </>
      )}
      {isBroken(expectation) && (
        <>
          {', noticed '}
          <Ago at={expectation.since} />
        </>
      )}
      {last_run_skipped && last_run !== null && (
        <>
          {', the last run was '}
          <Link to={runPath({ id: last_run, job })}>skipped</Link>
        </>
      )}
    </span>
  );
}

interface UsualProps {
  readonly usual: Habits | null;
  readonly isOffered: boolean;
  accept(expected: Expected): void;
}

/** Offered, and never imposed. */
function Usual({ usual, isOffered, accept }: UsualProps) {
  const text = usualText(usual);
  const offer = usual === null ? null : suggestion(usual);
  if (text === null) return null;
  return (
    <p class="aside">
      Its last {usual?.runs} runs: {text}.{' '}
      {isOffered && offer !== null && (
        <button type="button" class="button" onClick={() => accept(offer)}>
          Expect {expectedText(offer)}
        </button>
      )}
    </p>
  );
}
