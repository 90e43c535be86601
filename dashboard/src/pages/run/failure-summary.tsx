/** For a run that ended badly: its last lines on stderr, and the last good run. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { fetchOutputTail, fetchRuns } from '../../api/calls.ts';
import { Ago, Duration } from '../../components/time.tsx';
import { lastLines } from '../../output/last-lines.ts';
import { Link, runPath } from '../../router.tsx';
import { refOf } from '../../state/run-ref.ts';

/** How much of the end of the output is searched for stderr. */
const SEARCHED_BYTES = 64 * 1024;
/** More than there is room for: the last are seen first. */
const SHOWN_LINES = 40;

export function FailureSummary({ run }: { readonly run: Run }) {
  return endedBadly(run) ? <Summary key={refOf(run)} run={run} /> : null;
}

function endedBadly({ state }: Run): boolean {
  return !isLive(state) && state !== 'succeeded' && state !== 'killed' && state !== 'skipped';
}

function Summary({ run }: { readonly run: Run }) {
  const lines = useLastStderr(run);
  const good = useLastGood(run);
  const box = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  return (
    <section class="failure-summary" aria-label="What went wrong">
      <h2>Last lines on stderr</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard */}
      <section ref={box} class="last-stderr" aria-label="Last lines on stderr" tabIndex={0}>
        {typeof lines === 'object' ? <pre>{lines.join('\n')}</pre> : <p class="aside">{STDERR_LABELS[lines]}</p>}
      </section>
      <p class="last-good">
        {good === 'asking' && 'Looking for the last good run…'}
        {good === 'none' && 'No earlier run on this machine succeeded.'}
        {good === 'failed' && 'Couldn’t look up the last good run.'}
        {typeof good === 'object' && (
          <>
            <Link to={runPath(good)}>Last good run</Link> <Ago at={good.ended_at ?? good.started_at} />, took{' '}
            <Duration from={good.started_at} to={good.ended_at} />
          </>
        )}
      </p>
    </section>
  );
}

const STDERR_LABELS = {
  asking: 'Loading the last lines on stderr…',
  none: 'Nothing on stderr.',
  failed: 'Couldn’t load the last lines on stderr; see the output below.',
} as const;

/** Asked again when more of its output has come: the end of a run overtakes that. */
function useLastStderr(run: Run): readonly string[] | keyof typeof STDERR_LABELS {
  const [lines, setLines] = useState<readonly string[] | keyof typeof STDERR_LABELS>('asking');
  const { id, job } = run;
  useEffect(() => {
    let isGone = false;
    void fetchOutputTail({ id, job }, 'stderr', SEARCHED_BYTES).then((answer) => {
      if (isGone) return;
      if (!answer.ok) return setLines((known) => (known === 'asking' ? 'failed' : known));
      const found = lastLines(answer.value, SHOWN_LINES);
      setLines(found.length === 0 ? 'none' : found);
    });
    return () => {
      isGone = true;
    };
  }, [id, job, run.output_bytes]);
  return lines;
}

/** The one before it on the same machine: of another one, other things may be true. */
function useLastGood(run: Run): Run | 'asking' | 'none' | 'failed' {
  const [good, setGood] = useState<Run | 'asking' | 'none' | 'failed'>('asking');
  const { job, machine, started_at: until } = run;
  useEffect(() => {
    let isGone = false;
    void fetchRuns({ job, machine, state: 'succeeded', until, limit: 1 }).then((answer) => {
      if (!isGone) setGood(answer.ok ? (answer.value.items[0] ?? 'none') : 'failed');
    });
    return () => {
      isGone = true;
    };
  }, [job, machine, until]);
  return good;
}
