import { expect, onTestFinished, test } from 'vitest';
import type { Run } from '#protocol/api';
import { waitFor } from '#testing/wait-for';
import { EXIT } from '../../../src/operator/exit-codes.ts';
import { OperatorError } from '../../../src/operator/operator-error.ts';
import { RunsWatcher, type WatchStatus } from '../../../src/operator/ps/runs-watcher.ts';
import type { WatchFilter } from '../../../src/operator/ps/watched-runs.ts';
import { aRun } from '../../support/api-resources.ts';
import { OperatorPlane } from '../../support/operator-plane.ts';

const OPEN: WatchFilter = { jobs: [], machines: [], instance: null, tags: [], states: [], all: false, limit: 100 };

function watch(plane: OperatorPlane, filter: Partial<WatchFilter> = {}) {
  const watched = { statuses: [] as WatchStatus[], changed: [] as Run[], error: null as unknown };
  const watcher = new RunsWatcher(
    plane.client(),
    { ...OPEN, ...filter },
    {
      changed: ({ run }) => watched.changed.push(run.value),
      status: (status) => watched.statuses.push(status),
      failed: (error) => {
        watched.error = error;
      },
    },
  );
  onTestFinished(() => watcher.close());
  const states = () => watcher.runs.shown(Date.now()).map(({ job, state }) => `${job} ${state}`);
  const kinds = () => watched.statuses.map(({ kind }) => kind);
  return Object.assign(watched, { watcher, states, kinds });
}

const now = () => new Date().toISOString();
const ended = (run: Run): Run => ({
  ...run,
  state: 'succeeded',
  final: true,
  exit_code: 0,
  ended_at: now(),
  seq: run.seq + 1,
});

test('after a list, changes come by the socket; after a lost socket, what was missed by another list', async () => {
  const plane = await OperatorPlane.start();
  const kept = aRun({ job: 'kept', started_at: now() });
  const missed = aRun({ job: 'missed', started_at: now() });
  plane.setRuns(kept, missed);
  const watched = watch(plane);
  await waitFor('the list', () => watched.kinds().includes('live'));
  expect(watched.states().sort()).toEqual(['kept running', 'missed running']);

  plane.setRuns(aRun({ job: 'new', started_at: now() }));
  await waitFor('the change', () => watched.states().includes('new running'));

  plane.refuse = (request) => (request.startsWith('WATCH') ? { status: 503, code: 'busy', detail: 'Busy.' } : null);
  plane.drop();
  await waitFor('the loss', () => watched.kinds().includes('reconnecting'));
  plane.setRuns(ended(missed), aRun({ job: 'started', started_at: now() }));
  plane.refuse = () => null;
  await waitFor('what was missed', () => watched.kinds().at(-1) === 'live');
  expect(watched.states().sort()).toEqual(['kept running', 'missed succeeded', 'new running', 'started running']);
  // What has not changed is not reported again.
  expect(watched.changed.filter(({ job }) => job === 'kept')).toHaveLength(1);
});

test('a first list that fails, or a token that may not read, is an error', async () => {
  const plane = await OperatorPlane.start();
  plane.refuse = () => ({ status: 403, code: 'forbidden', detail: 'Reading requires the scope `read`.' });
  const watched = watch(plane);
  const error = await waitFor('the error', () => watched.error);
  expect(error).toBeInstanceOf(OperatorError);
  expect(error).toMatchObject({ exitCode: EXIT.notAllowed, message: 'Reading requires the scope `read`.' });

  const gone = await OperatorPlane.start();
  gone.refuse = (request) => ({ status: 500, code: request, detail: 'Broken.' });
  const other = watch(gone);
  await waitFor('the error', () => other.error);
  expect(other.error).toMatchObject({ exitCode: EXIT.failed });
});

test('where no socket is let through, lists are read', async () => {
  const plane = await OperatorPlane.start();
  plane.refuse = (request) =>
    request.startsWith('WATCH') ? { status: 404, code: 'x', detail: 'No upgrade here.' } : null;
  plane.setRuns(aRun({ job: 'only', started_at: now() }));
  const watched = watch(plane);
  await waitFor('the list', () => watched.kinds().includes('polling'));
  expect(watched.states()).toEqual(['only running']);
});
