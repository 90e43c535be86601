import { expect, test } from 'vitest';
import { findRuns } from '../../../src/operator/kill/find-runs.ts';
import { openRuns, take } from '../../../src/operator/list-runs.ts';
import { aRun } from '../../support/api-resources.ts';
import { OperatorPlane } from '../../support/operator-plane.ts';

test('open runs include those that wait to start; a control plane that knows no such state lists the others', async () => {
  const plane = await OperatorPlane.start();
  plane.setRuns(aRun({ state: 'waiting', id: WAITING }), aRun({ state: 'running', id: RUNNING }));
  expect(await openIds(plane)).toEqual({ killed: [WAITING, RUNNING], listed: [WAITING, RUNNING] });

  const refusal = { status: 400, code: 'bad_request', detail: 'query.state: `waiting` is none.' };
  plane.refuse = (request) => (request.includes('waiting') ? refusal : null);
  expect(await openIds(plane)).toEqual({ killed: [RUNNING], listed: [RUNNING] });

  plane.refuse = () => refusal;
  await expect(openIds(plane)).rejects.toMatchObject({ code: 'bad_request' });
});

const WAITING = '01KB7Q0000AAAAAAAAAAAAAAAA';
const RUNNING = '01KB7Q0000BBBBBBBBBBBBBBBB';

async function openIds(plane: OperatorPlane) {
  const api = plane.client();
  const listed = await take(openRuns(api, { jobs: [], machines: [], instance: null, tags: [] }));
  const found = await findRuns(api, { words: [], machines: [], instance: null });
  return {
    listed: listed.map(({ value }) => value.id).sort(),
    killed: found.kind === 'listed' ? found.selection.runs.map(({ id }) => id).sort() : null,
  };
}
