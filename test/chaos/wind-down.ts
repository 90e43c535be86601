/**
 * After the troubles of a round: waits until all of it has come to its end, as it would by itself and with what an operator
 * and the machines' own `leash flush` do, and fetches what the control plane reports.
 */
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Run } from '#protocol/api';
import { waitFor } from '#testing/wait-for';
import { isAlive } from '../../scripts/local/process-group.ts';
import { differenceOfIndex } from './checks/index-agrees.ts';
import { ownProcesses } from './checks/left-behind.ts';
import type { Machine } from './machine.ts';
import { fetchRun, listedRuns, type ReportedRun } from './reported-run.ts';
import type { Round } from './round.ts';
import type { ChaosRun } from './run.ts';

/** What the Cron Trigger does each minute, and a flusher in the background after longer and longer pauses. */
const SWEEP_EVERY_MS = 1_000;

/** @returns whether all of it has come to its end */
export async function windDown(round: Round): Promise<boolean> {
  const { log, operator } = round;
  log.write('all troubles are over');
  await operator.repeatUnanswered();
  const over = new AbortController();
  const looking = sweepAndFlush(round, over.signal);
  try {
    await waitForKills(round);
    await waitForBrakes(round);
    await waitForRuns(round);
    checkLeftovers(round);
    await killLeftRunning(round);
    await waitFor('the records of runs to go', () =>
      round.machines.every((machine) => machine.leftovers().length === 0),
    );
    await waitFor('flushers and keepers to go', () =>
      round.machines.every((machine) => ownProcesses(machine).length === 0),
    );
    return true;
  } catch (error) {
    log.fail(error instanceof Error ? error.message : String(error));
    return false;
  } finally {
    over.abort();
    await looking;
  }
}

/** Waits until the index has caught up. */
export async function indexAgrees({ environment, api, jobs, log }: Round): Promise<void> {
  await Promise.all(
    jobs.map(async (job) => {
      let difference: string | null = null;
      try {
        await waitFor(`the index of ${job} to agree`, async () => {
          difference = await differenceOfIndex(environment, api, job);
          return difference === null;
        });
      } catch (error) {
        log.fail(difference ?? String(error));
      }
    }),
  );
}

/** What the control plane reports of each run; notes which are missing, or listed twice. */
export async function fetchReportedRuns(round: Round): Promise<ReportedRun[]> {
  const listed = await allListed(round);
  const reported = await Promise.all(
    round.runs.map(async (run) => {
      const its = listed.filter((each) => isOf(run, each));
      const [only] = its;
      if (only === undefined && isUnreported(run)) return null;
      if (only === undefined || its.length > 1) {
        round.log.fail(`of ${run.name} there are ${its.length} in the index: ${JSON.stringify(its)}`);
        return null;
      }
      if (run.id !== null && run.id !== only.id) round.log.fail(`${run.name} has the id ${only.id}`);
      return fetchRun(round.api, run, only.id);
    }),
  );
  return reported.filter((each) => each !== null);
}

async function waitForKills(round: Round): Promise<void> {
  await waitFor('the kills to be settled or expired', async () =>
    (await round.kills()).every(({ state }) => state === 'settled' || state === 'expired'),
  );
}

/** They end what they are for, without anybody else's help, and then are ended themselves. */
async function waitForBrakes(round: Round): Promise<void> {
  await waitFor('the brakes to be obeyed', async () =>
    (await allListed(round)).every((run) => round.brakes.allow(run)),
  );
  await round.brakes.end();
}

/** Kills what only ends by a kill, one after the other: behind each of them, others may wait to be started. */
async function waitForRuns(round: Round): Promise<void> {
  await waitFor('all runs to be over for good', async () => {
    const listed = await allListed(round);
    await Promise.all(
      round.runs.map(async (run) => {
        // A run whose job has never been heard of is there a moment later.
        if (run.id === null || !waitsForKill(run) || !listed.some(({ id }) => id === run.id)) return;
        await round.operator.killRun(run, run.id);
      }),
    );
    await waitForKills(round);
    return round.runs.every((run) => {
      const its = listed.find((each) => isOf(run, each));
      return its === undefined ? isUnreported(run) : its.final || diedAsking(run, its);
    });
  });
}

function waitsForKill({ plan, notes: { pid } }: ChaosRun): boolean {
  return plan.workload.end.kind === 'wait' && pid !== null && isAlive(pid);
}

/** Lost for good: of a wrapper that is killed before it has started anything nothing is left that could report its end. */
function diedAsking(run: ChaosRun, { state }: Run): boolean {
  return run.diedAsking && state === 'lost';
}

/** A wrapper that is to end what its command has left has done so before it reports the end. */
function checkLeftovers({ runs, log }: Round): void {
  for (const run of runs) {
    if (!run.plan.endsLeftovers || run.wrapperWasKilled || run.couldNotBeKept) continue;
    const alive = run.processes();
    if (alive.length > 0) log.fail(`${run.name} is over, and ${alive} (pids) run on that --leftovers kill is to end`);
  }
}

/**
 * What kills have left running: it must be reported, and a kill that names the run must end it. One that expires before
 * a wrapper connects for the run is repeated, as an operator would.
 */
async function killLeftRunning(round: Round): Promise<void> {
  await Promise.all(
    round.runs.map((run) =>
      waitFor(`an end of what ${run.name} has left running`, async () => {
        const alive = run.processes();
        if (run.id === null || alive.length === 0) return true;
        if (!(await allListed(round)).some((each) => isOf(run, each))) {
          // It was never reported.
          run.endByHand();
          return false;
        }
        const { left_running } = await round.api.run(run.id);
        if (left_running.length === 0) {
          if (run.processes().length > 0)
            round.log.fail(`${run.name} is over and says that nothing of it runs, but ${alive} (pids) do`);
          return true;
        }
        await round.operator.killRun(run, run.id);
        await waitForKills(round);
        if (!run.couldNotBeKept || run.processes().length === 0) return false;
        // Where there is no place for a record no wrapper stays for what is left.
        round.log.write(`what ${run.name} has left running is ended by hand`);
        run.endByHand();
        return false;
      }),
    ),
  );
}

/** Until aborted: the sweep, and `leash flush` where something has been waiting to be sent for a while. */
async function sweepAndFlush({ environment, machines, runs, log }: Round, signal: AbortSignal): Promise<void> {
  let before = new Set<string>();
  while (!signal.aborted) {
    await environment.controlPlane.sweep().catch((error: unknown) => log.fail(`the sweep failed: ${error}`));
    const abandoned = machines.map(abandonedRuns);
    await Promise.all(
      machines.map(async (machine, index) => {
        if (!abandoned[index]?.some((each) => before.has(each))) return;
        const wrapper = runs.find((run) => run.machine === machine)?.wrapper;
        const flushed = await wrapper?.leash('flush');
        log.write(`leash flush on ${machine.name}: ${flushed?.code} ${flushed?.stdout.trim().replaceAll('\n', ' | ')}`);
      }),
    );
    before = new Set(abandoned.flat());
    await sleep(SWEEP_EVERY_MS);
  }
}

/** Runs of which something is left, and which belong to nobody who lives. */
function abandonedRuns(machine: Machine): string[] {
  return machine.leftovers().filter((record) => {
    const owner = namesIn(record).find((each) => each.startsWith('owner@'));
    // owner@BOOT@PID@…
    return owner === undefined || !isAlive(Number(owner.split('@')[2]));
  });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // It has just gone.
    return [];
  }
}

/**
 * Whether it can never be reported: there was no room to keep it from its start to its end, as its wrapper logged, or its
 * wrapper was killed before it could ask.
 */
function isUnreported(run: ChaosRun): boolean {
  return (run.couldNotBeKept || run.diedAsking) && !run.wrapper.isRunning;
}

async function allListed({ jobs, api }: Round): Promise<Run[]> {
  return (await Promise.all(jobs.map((job) => listedRuns(api, job)))).flat();
}

function isOf(run: ChaosRun, { job, instance }: Run): boolean {
  return job === run.job && instance === run.instance;
}
