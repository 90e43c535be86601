import { expect, test, vi } from 'vitest';
import type { Brake } from '#protocol/brakes';
import { subcommand as brakeSubcommand } from '../../../src/cli/subcommands/brake.ts';
import { subcommand as drainSubcommand } from '../../../src/cli/subcommands/drain.ts';
import { subcommand as killSubcommand } from '../../../src/cli/subcommands/kill.ts';
import { subcommand as maintenanceSubcommand } from '../../../src/cli/subcommands/maintenance.ts';
import { brakeCommand } from '../../../src/operator/brakes/brake-command.ts';
import { drainCommand } from '../../../src/operator/brakes/drain-command.ts';
import { endBrake } from '../../../src/operator/brakes/list-brakes.ts';
import { EXIT } from '../../../src/operator/exit-codes.ts';
import { killCommand } from '../../../src/operator/kill/kill-command.ts';
import type { OperatorContext } from '../../../src/operator/operator-context.ts';
import { Output } from '../../../src/operator/output.ts';
import { aKill, aRun, aTarget } from '../../support/api-resources.ts';
import { OperatorPlane, type Refused } from '../../support/operator-plane.ts';

const FORBIDDEN: Refused = { status: 403, code: 'forbidden', detail: 'Reading runs requires the scope `read`.' };
/** It says nothing about when to try again, so a list is not waited for. */
const UNAVAILABLE: Refused = { status: 502, code: 'unavailable', detail: 'The control plane is being deployed.' };
const HOUR_MS = 3_600_000;

function aBrake(fields: Partial<Brake> = {}): Brake {
  return {
    id: '01KB7Q0000AAAAAAAAAAAAAAAA',
    jobs: ['*'],
    machines: ['*'],
    reason: null,
    until: new Date(Date.now() + HOUR_MS).toISOString(),
    kill: true,
    created_by: 'admin',
    created_at: new Date().toISOString(),
    ...fields,
  };
}

/** What a subcommand prints and exits with, in a pipe. */
async function operated(plane: OperatorPlane, work: (context: OperatorContext) => Promise<number>) {
  let printed = '';
  const print = (chunk: string | Uint8Array) => {
    printed += String(chunk);
    return true;
  };
  const spies = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockImplementation(print));
  try {
    return { exitCode: await work({ api: plane.client(), output: new Output({}), env: {} }), printed };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

async function brake(plane: OperatorPlane, ...words: string[]) {
  const invocation = brakeSubcommand.parse(words);
  if (invocation === null) throw new Error('help was asked for');
  return operated(plane, (context) => brakeCommand(invocation.args, context));
}

async function kill(plane: OperatorPlane, ...words: string[]) {
  const invocation = killSubcommand.parse(words);
  if (invocation === null) throw new Error('help was asked for');
  return operated(plane, (context) => killCommand(invocation.args, context));
}

async function drain(plane: OperatorPlane, ...words: string[]) {
  const invocation = drainSubcommand.parse(words);
  if (invocation === null) throw new Error('help was asked for');
  return operated(plane, (context) => drainCommand(invocation.args, context));
}

test('a brake is set with its end by the control plane’s clock, and its kills are followed', async () => {
  const plane = await OperatorPlane.start();
  const run = aRun();
  plane.setRuns(run);
  const requested: unknown[] = [];
  plane.onBrake = (body) => {
    requested.push(body);
    const stored = aKill({ seq: 1 });
    const target = aTarget({ run: run.id, machine: run.machine, state: 'gone', exit_code: 143 });
    setTimeout(() => plane.setKills({ ...stored, seq: 2, state: 'settled', targets: [target] }), 10);
    return { brake: aBrake({ jobs: ['backup'], reason: 'why' }), kills: [stored] };
  };
  const { exitCode, printed } = await brake(plane, 'backup', '--for', '1h', '--reason', 'why', '--yes');
  expect(exitCode).toBe(EXIT.done);
  expect(requested).toMatchObject([{ jobs: ['backup'], reason: 'why', kill: true }]);
  expect(printed).toMatch(
    /Killing 1 run of backup: .*\nBrake on backup until .*: why\.\nEnd it earlier with: leash brakes/,
  );
  expect(printed).toContain('1 run ended after');
});

test('a brake that has nothing to kill is set all the same, also if the runs can’t be listed', async () => {
  const plane = await OperatorPlane.start();
  plane.refuse = (request) => (/^(GET \/runs|WATCH)/.test(request) ? FORBIDDEN : null);
  plane.onBrake = () => ({ brake: aBrake(), kills: [] });
  const { exitCode, printed } = await brake(plane, '*', '--machine', 'db-*', '--for', '1h', '--yes');
  expect(exitCode).toBe(EXIT.done);
  expect(printed).toContain("The runs can't be listed");
  expect(printed).toContain('Brake on all jobs on db-*: it kills what matches now');
  expect(printed).toContain('No run matches at the moment.');
});

test('what fails before anything was sent says so', async () => {
  const plane = await OperatorPlane.start();
  plane.refuse = () => ({ status: 401, code: 'unauthorized', detail: 'Unknown token.' });
  await expect(brake(plane, 'backup', '--for', '1h', '--yes')).rejects.toMatchObject({
    message: expect.stringMatching(/^Unknown token\..* No brake was set, and nothing was killed\.$/),
    exitCode: EXIT.notAllowed,
  });
  await expect(kill(plane, 'backup', '--yes')).rejects.toThrow(/^Unknown token\..* Nothing was killed\.$/);
});

test('a dry run sets none', async () => {
  const plane = await OperatorPlane.start();
  plane.setRuns(aRun());
  const { exitCode, printed } = await brake(plane, 'backup', '--for', '1h', '--dry-run');
  expect(exitCode).toBe(EXIT.done);
  expect(printed).toContain('Would kill 1 run of backup');
  expect(plane.requests.filter((request) => request.startsWith('POST'))).toEqual([]);
});

test('a drained machine whose run is lost is not called empty', async () => {
  const plane = await OperatorPlane.start();
  plane.onBrake = () => ({ brake: aBrake({ machines: ['m1'], kill: false }), kills: [] });
  const unknown = await drain(plane, 'm1', '--for', '1h', '--wait');
  expect(unknown.exitCode).toBe(EXIT.done);
  expect(unknown.printed).toContain('No run on m1 is known.');
  plane.setRuns(aRun({ state: 'succeeded', final: true, machine: 'm1' }));
  expect((await drain(plane, 'm1', '--for', '1h', '--wait')).printed).not.toContain('is known');
  plane.setRuns(aRun({ state: 'lost', final: false, connected: false, machine: 'm1' }));
  const { exitCode, printed } = await drain(plane, 'm1', '--for', '1h', '--wait');
  expect(exitCode).toBe(EXIT.failed);
  expect(printed).toContain('1 run of backup is lost');
});

test('a drain without --wait says what runs, and one whose maintenance is over gives up', async () => {
  const plane = await OperatorPlane.start();
  plane.setRuns(aRun({ machine: 'm1' }));
  const until = (ms: number) => ({ machines: ['m1'], kill: false, until: new Date(Date.now() + ms).toISOString() });
  plane.onBrake = () => ({ brake: aBrake(until(HOUR_MS)), kills: [] });
  const told = await drain(plane, 'm1', '--for', '1h');
  expect(told.exitCode).toBe(EXIT.done);
  expect(told.printed).toContain('Still running: backup on m1');
  plane.onBrake = () => ({ brake: aBrake(until(0)), kills: [] });
  expect(await drain(plane, 'm1', '--for', '1h', '--wait')).toMatchObject({ exitCode: EXIT.timedOut });
});

test('a drain that waits outlasts an outage of the control plane, and then kills what still runs', async () => {
  const plane = await OperatorPlane.start();
  const run = aRun({ machine: 'm1' });
  plane.setRuns(run);
  plane.onBrake = () => ({ brake: aBrake({ machines: ['m1'], kill: false }), kills: [] });
  let outages = 2;
  plane.refuse = (request) => {
    if (!request.startsWith('GET /runs') || outages === 0) return null;
    outages -= 1;
    return UNAVAILABLE;
  };
  plane.onKill = () => {
    plane.setRuns({ ...run, state: 'killed', final: true });
    return [aKill()];
  };
  const { exitCode, printed } = await drain(plane, 'm1', '--for', '1h', '--wait', '--kill-after', '0');
  expect(exitCode).toBe(EXIT.done);
  expect(printed.match(/Trying again until the maintenance ends\./g)).toHaveLength(1);
  expect(printed).toContain('Killing 1 run of backup');
  expect(printed).toContain('Nothing runs on m1.');
});

test('a brake is ended by the end of its id, if only one has it', async () => {
  const plane = await OperatorPlane.start();
  plane.brakes.push(aBrake(), aBrake({ id: '01KB7Q0000BBBBBBBBBBBBAAAA', kill: false }));
  const end = (id: string) => operated(plane, (context) => endBrake(id, false, context));
  await expect(end('AAAA')).rejects.toThrow('2 brakes have such an id');
  await expect(end('CCCC')).rejects.toThrow('No brake has an id');
  expect((await end('BBBBAAAA')).printed).toBe('Ended: Maintenance of all jobs.\n');
  expect(plane.requests.at(-1)).toBe('DELETE /brakes/01KB7Q0000BBBBBBBBBBBBAAAA');
});

test.each([
  [() => brakeSubcommand.parse(['backup']), '--for is required'],
  [() => brakeSubcommand.parse(['--for', '1h']), 'name what to brake'],
  [() => brakeSubcommand.parse(['backup', '--for', '31d']), 'must be from 1s to 30d'],
  [() => brakeSubcommand.parse(['back up', '--for', '1h']), 'JOB back up'],
  [() => maintenanceSubcommand.parse(['--for', '1h']), 'name what it is for'],
  [() => maintenanceSubcommand.parse(['--all', '--job', 'x', '--for', '1h']), '--all excludes'],
  [() => drainSubcommand.parse(['--for', '1h']), 'name the machine'],
  [() => drainSubcommand.parse(['m1', '--for', '1h', '--kill-after', '1m']), '--kill-after requires --wait'],
])('%s is refused', (parse, message) => {
  expect(parse).toThrow(message);
});

test('maintenance is for jobs, for machines, or for all', () => {
  const order = (...words: string[]) => maintenanceSubcommand.parse([...words, '--for', '1h'])?.args.order;
  expect(order('--job', 'a,b-*')).toMatchObject({ jobs: ['a', 'b-*'], machines: [], kill: false, forMs: HOUR_MS });
  expect(order('--machine', 'm1')).toMatchObject({ jobs: [], machines: ['m1'] });
  expect(order('--all')).toMatchObject({ jobs: [], machines: [] });
});
