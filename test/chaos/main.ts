/**
 * `npm run test:proof -- chaos --seeds N --seed FIRST`: rounds of chaos, each made from a seed, against the built control
 * plane and the built wrapper. A round that fails prints its log, and the next one follows. Exit code 1 if one failed.
 */
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { withTimeout } from '#shared/with-timeout';
import { TEST_LIMIT_MS } from '#testing/patience';
import { onStopRequest } from '../../scripts/local/stop-request.ts';
import { TestEnvironment } from '../support/test-environment.ts';
import { checkAlerts } from './checks/alerts.ts';
import { checkBrakes } from './checks/brakes.ts';
import { checkEnd, checkOwnExit } from './checks/end.ts';
import { checkKills } from './checks/kills.ts';
import { checkLeftBehind } from './checks/left-behind.ts';
import { checkOutput } from './checks/output.ts';
import { checkOverlap } from './checks/overlap.ts';
import { buildClockLibrary } from './clock.ts';
import { ownMemory } from './disk.ts';
import { readChaosOptions } from './options.ts';
import type { ReportedRun } from './reported-run.ts';
import { type Counts, Round } from './round.ts';
import { type Schedule, scheduleOf } from './schedule.ts';
import { CHAOS } from './settings.ts';
import { fetchReportedRuns, indexAgrees, windDown } from './wind-down.ts';

/** Beyond every limit on waiting within it. */
const ROUND_LIMIT_MS = 4 * TEST_LIMIT_MS;

const NOTHING: Counts = { runs: 0, kills: 0, restarts: 0, cuts: 0 };

/** What an environment has stored slows it down in the end. */
const ROUNDS_PER_ENVIRONMENT = 20;

interface Result {
  readonly seed: number;
  readonly failed: boolean;
  readonly counts: Counts;
  readonly skipped: readonly string[];
}

const options = readChaosOptions(process.argv.slice(2));
let isStopped = false;
void onStopRequest().then(() => {
  isStopped = true;
});
await ownMemory();
const results = await playAll();
process.exit(summarize(results));

async function playAll(): Promise<Result[]> {
  const all: Result[] = [];
  let setup: Setup | null = null;
  for (let index = 0; index < options.seeds && !isStopped; index += 1) {
    const schedule = scheduleOf(options.seed + index);
    const since = performance.now();
    let result: Result = { seed: schedule.seed, failed: true, counts: NOTHING, skipped: [] };
    try {
      setup ??= await createSetup();
      result = await playOne(setup, schedule);
    } catch (error) {
      console.log(`seed ${schedule.seed} could not be played: ${describe(error)}`);
    }
    all.push(result);
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    console.log(
      `seed ${schedule.seed}: ${result.failed ? 'FAILED' : 'passed'} after ${seconds} s, ${countsOf([result])}`,
    );
    if (result.failed || all.length % ROUNDS_PER_ENVIRONMENT === 0) {
      await dispose(setup);
      setup = null;
    }
  }
  await dispose(setup);
  return all;
}

/** Where rounds are played. */
interface Setup {
  readonly environment: TestEnvironment;
  readonly clockLibrary: string | null;
}

async function createSetup(): Promise<Setup> {
  const environment = await TestEnvironment.create(CHAOS);
  return { environment, clockLibrary: await buildClockLibrary(environment.directory) };
}

/** A failed round may have left it in any state: the next ones are played all the same. */
async function dispose(setup: Setup | null): Promise<void> {
  await setup?.environment
    .dispose()
    .catch((error: unknown) => console.log(`not all could be removed: ${describe(error)}`));
}

async function playOne({ environment, clockLibrary }: Setup, schedule: Schedule): Promise<Result> {
  const logStart = environment.log.length;
  const round = await Round.create(environment, schedule, clockLibrary);
  const { log } = round;
  const reported: ReportedRun[] = [];
  try {
    await withTimeout(playAndCheck(round, reported), ROUND_LIMIT_MS, { what: 'something in this round' });
  } catch (error) {
    log.fail(describe(error));
  }
  const failed = log.failures.length > 0;
  if (failed) await reportFailure(round, reported, environment.log.slice(logStart));
  await round.end();
  return { seed: schedule.seed, failed, counts: round.counts, skipped: [...round.skipped] };
}

/** @param reported gets what is reported of the runs */
async function playAndCheck(round: Round, reported: ReportedRun[]): Promise<void> {
  await round.play();
  // What has not ended has left everything behind, and that is noted already.
  if (await windDown(round)) checkLeftBehind(round.runs, round.machines, round.log);
  reported.push(...(await fetchReportedRuns(round)));
  await check(round, reported);
}

async function check(round: Round, reported: readonly ReportedRun[]): Promise<void> {
  const { log, operator } = round;
  await indexAgrees(round);
  const kills = await round.kills();
  round.counts.kills = kills.length;
  checkKills(kills, operator, reported, log);
  checkOverlap(reported, log);
  checkBrakes(reported, round.brakes, log);
  await checkAlerts(round, reported);
  for (const each of reported) {
    checkOutput(each, log);
    checkEnd(each, round.brakes, log);
    await checkOwnExit(each, log);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** The round's log on the terminal, and every log in a directory. */
async function reportFailure(round: Round, reported: readonly ReportedRun[], controlPlaneLog: string): Promise<void> {
  const { seed } = round.schedule;
  const kept = join(options.keep, String(seed));
  await rm(kept, { recursive: true, force: true });
  await mkdir(kept, { recursive: true });
  await cp(round.directory, join(kept, 'runs'), { recursive: true });
  await writeFile(join(kept, 'control-plane.log'), controlPlaneLog);
  await writeFile(join(kept, 'schedule.json'), JSON.stringify(round.schedule, null, 2));
  const ends = reported.map(({ run, now, events }) => ({ name: run.name, now, events, notes: run.notes }));
  await writeFile(join(kept, 'runs.json'), JSON.stringify(ends, null, 2));
  const text = [
    `Seed ${seed}, in order:`,
    round.log.text,
    '',
    `What became of the runs:`,
    ...reported.map(
      ({ run, now }) =>
        `  ${run.name}: ${now.id} ${now.state} (${now.exit_code}, ${now.reason}), ${JSON.stringify(run.plan.asking)}; ${JSON.stringify(run.notes)}`,
    ),
    '',
    'What is wrong:',
    ...round.log.failures.map((failure) => `  - ${failure}`),
    '',
    `The schedule, the logs of wrappers and control plane, and all that was reported: ${relative(process.cwd(), kept)}`,
    `To repeat it: npm run test:proof -- chaos --seeds 1 --seed ${seed}`,
  ].join('\n');
  await writeFile(join(kept, 'round.txt'), text);
  console.log(`\n${text}\n`);
}

/** @returns the exit code */
function summarize(all: readonly Result[]): number {
  const failed = all.filter((result) => result.failed);
  console.log(`\n${all.length} seeds, ${all.length - failed.length} passed, ${failed.length} failed; ${countsOf(all)}`);
  if (failed.length > 0) console.log(`failed: ${failed.map(({ seed }) => seed).join(', ')}`);
  for (const what of new Set(all.flatMap(({ skipped }) => skipped))) console.log(`Skipped: ${what}`);
  if (isStopped) return 130;
  return failed.length === 0 ? 0 : 1;
}

function countsOf(all: readonly Result[]): string {
  const sum = (what: keyof Counts) => all.reduce((total, { counts }) => total + counts[what], 0);
  return `${sum('runs')} runs, ${sum('kills')} kills, ${sum('restarts')} restarts of the control plane, ${sum('cuts')} troubled links`;
}
