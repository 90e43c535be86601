/**
 * `npm run test:proof -- chaos --seeds N --seed FIRST`: rounds of chaos, each made from a seed, against the built control
 * plane and the built wrapper. A round that fails prints its story, and the next one follows. Exit code 1 if one failed.
 */
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { onStopRequest } from '../../scripts/local/stop-request.ts';
import { World } from '../support/world.ts';
import { checkEnd, checkOwnExit } from './checks/end.ts';
import { checkKills } from './checks/kills.ts';
import { checkLeftBehind } from './checks/left-behind.ts';
import { checkOutput } from './checks/output.ts';
import { buildClockLibrary } from './clock.ts';
import { ownMemory } from './disk.ts';
import { gather, heal, indexAgrees } from './heal.ts';
import { readChaosOptions } from './options.ts';
import { type Counts, Round } from './round.ts';
import { type Schedule, scheduleOf } from './schedule.ts';
import { CHAOS } from './settings.ts';
import type { ToldRun } from './told.ts';

/** What a world has stored slows it down in the end. */
const ROUNDS_A_WORLD = 20;

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
  let world: World | null = null;
  let clockLibrary: string | null = null;
  for (let index = 0; index < options.seeds && !isStopped; index += 1) {
    const schedule = scheduleOf(options.seed + index);
    const since = performance.now();
    if (world === null) {
      world = await World.create(CHAOS);
      clockLibrary = await buildClockLibrary(world.directory);
    }
    const result = await playOne(world, schedule, clockLibrary);
    all.push(result);
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    console.log(
      `seed ${schedule.seed}: ${result.failed ? 'FAILED' : 'passed'} after ${seconds} s, ${countsOf([result])}`,
    );
    if (result.failed || all.length % ROUNDS_A_WORLD === 0) {
      await world.dispose();
      world = null;
    }
  }
  await world?.dispose();
  return all;
}

async function playOne(world: World, schedule: Schedule, clockLibrary: string | null): Promise<Result> {
  const logStart = world.log.length;
  const round = await Round.create(world, schedule, clockLibrary);
  const { story } = round;
  let told: ToldRun[] = [];
  try {
    await round.play();
    // What has not come to its end has left everything behind, and that is told already.
    if (await heal(round)) checkLeftBehind(round.runs, round.machines, story);
    told = await check(round);
  } catch (error) {
    story.complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const failed = story.complaints.length > 0;
  if (failed) await tellFailure(round, told, world.log.slice(logStart));
  await round.end();
  return { seed: schedule.seed, failed, counts: round.counts, skipped: [...round.skipped] };
}

async function check(round: Round): Promise<ToldRun[]> {
  const { story, operator } = round;
  await indexAgrees(round);
  const told = await gather(round);
  const kills = await round.kills();
  round.counts.kills = kills.length;
  checkKills(kills, operator, told, story);
  for (const each of told) {
    checkOutput(each, story);
    checkEnd(each, story);
    await checkOwnExit(each, story);
  }
  return told;
}

/** The whole story on the terminal, and beside it in a directory all that was logged. */
async function tellFailure(round: Round, told: readonly ToldRun[], log: string): Promise<void> {
  const { seed } = round.schedule;
  const kept = join(options.keep, String(seed));
  await rm(kept, { recursive: true, force: true });
  await mkdir(kept, { recursive: true });
  await cp(round.directory, join(kept, 'runs'), { recursive: true });
  await writeFile(join(kept, 'control-plane.log'), log);
  await writeFile(join(kept, 'schedule.json'), JSON.stringify(round.schedule, null, 2));
  const ends = told.map(({ run, now, events }) => ({ name: run.name, now, events, notes: run.notes }));
  await writeFile(join(kept, 'told.json'), JSON.stringify(ends, null, 2));
  const text = [
    `Seed ${seed}, in order:`,
    round.story.text,
    '',
    `What became of the runs:`,
    ...told.map(
      ({ run, now }) =>
        `  ${run.name}: ${now.id} ${now.state} (${now.exit_code}, ${now.reason}); ${JSON.stringify(run.notes)}`,
    ),
    '',
    'What is wrong:',
    ...round.story.complaints.map((complaint) => `  - ${complaint}`),
    '',
    `The schedule, the logs of wrappers and control plane, and all that was told: ${relative(process.cwd(), kept)}`,
    `To repeat it: npm run test:proof -- chaos --seeds 1 --seed ${seed}`,
  ].join('\n');
  await writeFile(join(kept, 'story.txt'), text);
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
