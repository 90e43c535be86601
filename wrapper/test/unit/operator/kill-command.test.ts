import { expect, test, vi } from 'vitest';
import type { Run, Target } from '#protocol/api';
import { subcommand } from '../../../src/cli/subcommands/kill.ts';
import { EXIT } from '../../../src/operator/exit-codes.ts';
import { killCommand } from '../../../src/operator/kill/kill-command.ts';
import { Output } from '../../../src/operator/output.ts';
import { aKill, aRun, aTarget } from '../../support/api-resources.ts';
import { OperatorPlane, type Refused } from '../../support/operator-plane.ts';

const FORBIDDEN: Refused = { status: 403, code: 'forbidden', detail: 'Reading runs requires the scope `read`.' };
const NO_DATABASE: Refused = { status: 503, code: 'index_unavailable', detail: 'The database is unavailable.' };

/** `leash kill …` in a pipe. */
async function kill(plane: OperatorPlane, ...words: string[]) {
  const invocation = subcommand.parse(words);
  if (invocation === null) throw new Error('help was asked for');
  let printed = '';
  const print = (chunk: string | Uint8Array) => {
    printed += String(chunk);
    return true;
  };
  const spies = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockImplementation(print));
  try {
    const exitCode = await killCommand(invocation.args, { api: plane.client(), output: new Output({}), env: {} });
    return { exitCode, printed };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

const timing = { sent_ms: 12, received_ms: 20, first_signal_ms: 31, last_process_gone_ms: 40 };

function endedTarget(run: Run, fields: Partial<Target> = {}): Target {
  return aTarget({
    run: run.id,
    machine: run.machine,
    state: 'gone',
    signal: 'SIGTERM',
    exit_code: 143,
    timing,
    ...fields,
  });
}

/** A kill is over a moment after it was stored. */
function carryOut(plane: OperatorPlane, ...targets: readonly Target[]): unknown[] {
  const requested: unknown[] = [];
  plane.onKill = (body, path) => {
    requested.push(`${path} ${JSON.stringify(body)}`);
    const stored = aKill({ seq: 1 });
    setTimeout(() => plane.setKills({ ...stored, seq: 2, state: 'settled', targets: [...targets] }), 10);
    return [stored];
  };
  return requested;
}

test('a run is killed, and runs that have started meanwhile are mentioned', async () => {
  const plane = await OperatorPlane.start();
  const run = aRun();
  plane.setRuns(run);
  const requested = carryOut(plane, endedTarget(run));
  plane.refuse = () => {
    if (requested.length > 0) plane.runs.set('next', aRun({ machine: 'm2' }));
    return null;
  };
  const { exitCode, printed } = await kill(plane, 'backup', '--yes');
  expect(requested).toEqual([`/jobs/backup/kill {"run":"${run.id}"}`]);
  expect(exitCode).toBe(EXIT.done);
  expect(printed).toContain('all processes exited');
  expect(printed).toContain('Started meanwhile, and not killed: 1 run of backup on m2.\n');
});

test('runs that are left out are named also where nobody is asked', async () => {
  const plane = await OperatorPlane.start();
  const run = aRun();
  const lost = aRun({ state: 'lost', connected: false, disconnected_since: '2026-01-01T00:00:00.000Z', machine: 'm2' });
  plane.setRuns(run, lost);
  const requested = carryOut(plane, endedTarget(run));
  for (const flag of ['--dry-run', '--yes']) {
    const { exitCode, printed } = await kill(plane, 'backup', flag);
    expect(exitCode).toBe(EXIT.done);
    expect(printed).toContain(`Not included: 1 run lost for more than a day (${lost.id} on m2).`);
  }
  expect(requested).toEqual([`/jobs/backup/kill {"run":"${run.id}"}`]);
});

test('while runs can’t be listed, a word that may be a part of an id is a job, and that is said', async () => {
  const plane = await OperatorPlane.start();
  plane.refuse = (request) => (/^GET \/runs/.test(request) ? NO_DATABASE : null);
  const requested = carryOut(plane, endedTarget(aRun({ job: 'database' })));
  const { exitCode, printed } = await kill(plane, 'database', '--yes');
  expect([exitCode, requested]).toEqual([EXIT.done, ['/jobs/database/kill {}']]);
  expect(printed).toContain('database is taken for a job');
});

test('a process that survives is an error, and named with what to do', async () => {
  const plane = await OperatorPlane.start();
  const run = aRun();
  plane.setRuns(run);
  carryOut(plane, endedTarget(run, { survivors: [4711], exit_code: null }));
  const { exitCode, printed } = await kill(plane, 'backup', '--yes');
  expect(exitCode).toBe(EXIT.failed);
  expect(printed).toContain('NOT ENDED on m1: pid 4711 survives SIGKILL. There, see: ps -o ');
});

test('with a token that may only kill, a job is killed by its name, and progress is asked for', async () => {
  const plane = await OperatorPlane.start();
  plane.refuse = (request) => (/^(GET \/runs|WATCH)/.test(request) ? FORBIDDEN : null);
  const requested = carryOut(plane, endedTarget(aRun()));
  const { exitCode, printed } = await kill(plane, 'backup', '--machine', 'm*', '--yes');
  expect(requested).toEqual(['/jobs/backup/kill {"machine":"m*"}']);
  expect(exitCode).toBe(EXIT.done);
  expect(printed).toContain(`The runs can't be listed: ${FORBIDDEN.detail}`);
  expect(printed).toContain('all processes exited');
  expect(plane.requests.filter((request) => request.startsWith('GET /kills/')).length).toBeGreaterThan(0);
});

test('with a token that may only kill, the end of a run’s id is not enough', async () => {
  const plane = await OperatorPlane.start();
  plane.refuse = (request) => (/^(GET \/runs|WATCH)/.test(request) ? FORBIDDEN : null);
  const requested = carryOut(plane);
  await expect(kill(plane, 'backup/0ABC', '--yes')).rejects.toMatchObject({ exitCode: EXIT.notAllowed });
  expect(requested).toEqual([]);
});

test('where no WebSocket gets through, progress is asked for', async () => {
  const plane = await OperatorPlane.start();
  const run = aRun();
  plane.setRuns(run);
  plane.refuse = (request) => (request.startsWith('WATCH') ? { ...FORBIDDEN, status: 404 } : null);
  carryOut(plane, endedTarget(run));
  expect(await kill(plane, 'backup', '--yes')).toMatchObject({ exitCode: EXIT.done });
});

test('while the database is down, jobs are killed by name, and single runs with their job', async () => {
  const plane = await OperatorPlane.start();
  plane.refuse = (request) => (/^GET \/runs/.test(request) ? NO_DATABASE : null);
  const run = aRun();
  const requested = carryOut(plane, endedTarget(run));
  expect(await kill(plane, 'backup', '--yes')).toMatchObject({ exitCode: EXIT.done });
  expect(await kill(plane, `backup/${run.id}`, '--yes', '--force')).toMatchObject({ exitCode: EXIT.done });
  expect(requested).toEqual([
    '/jobs/backup/kill {}',
    `/jobs/backup/kill {"run":"${run.id}","signal":"SIGKILL","grace_seconds":0}`,
  ]);
  await expect(kill(plane, 'backup', '--dry-run')).rejects.toMatchObject({ exitCode: EXIT.outOfReach });
});
