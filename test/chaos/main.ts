/**
 * `npm run test:proof -- chaos --seeds N --seed FIRST`: rounds of chaos, each made from a seed, against the built control
 * plane and the built wrapper. A round that fails prints its story, and the next one follows. Exit code 1 if one failed.
 */
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TEST_LIMIT_MS } from '#testing/patience';
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

/** Beyond every limit on waiting within it. */
const ROUND_LIMIT_MS = 4 * TEST_LIMIT_MS;

const NOTHING: Counts = { runs: 0, kills: 0, restarts: 0, cuts: 0 };

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
  let place: Place | null = null;
  for (let index = 0; index < options.seeds && !isStopped; index += 1) {
    const schedule = scheduleOf(options.seed + index);
    const since = performance.now();
    let result: Result = { seed: schedule.seed, failed: true, counts: NOTHING, skipped: [] };
    try {
      place ??= await createPlace();
      result = await playOne(place, schedule);
    } catch (error) {
      console.log(`seed ${schedule.seed} could not be played: ${describe(error)}`);
    }
    all.push(result);
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    console.log(
      `seed ${schedule.seed}: ${result.failed ? 'FAILED' : 'passed'} after ${seconds} s, ${countsOf([result])}`,
    );
    if (result.failed || all.length % ROUNDS_A_WORLD === 0) {
      await leave(place);
      place = null;
    }
  }
  await leave(place);
  return all;
}

/** Where rounds are played. */
interface Place {
  readonly world: World;
  readonly clockLibrary: string | null;
}

async function createPlace(): Promise<Place> {
  const world = await World.create(CHAOS);
  return { world, clockLibrary: await buildClockLibrary(world.directory) };
}

/** A failed round may have left it in any state: the next ones are played all the same. */
async function leave(place: Place | null): Promise<void> {
  await place?.world.dispose().catch((error: unknown) => console.log(`not all could be removed: ${describe(error)}`));
}

async function playOne({ world, clockLibrary }: Place, schedule: Schedule): Promise<Result> {
  const logStart = world.log.length;
  const round = await Round.create(world, schedule, clockLibrary);
  const { story } = round;
  const told: ToldRun[] = [];
  const hang = new AbortController();
  const limit = sleep(ROUND_LIMIT_MS, 'hangs', { signal: hang.signal }).catch(() => 'over');
  try {
    const result = await Promise.race([playAndCheck(round, told), limit]);
    if (result === 'hangs') story.complain('something in this round never ends');
  } catch (error) {
    story.complain(describe(error));
  }
  hang.abort();
  const failed = story.complaints.length > 0;
  if (failed) await tellFailure(round, told, world.log.slice(logStart));
  await round.end();
  return { seed: schedule.seed, failed, counts: round.counts, skipped: [...round.skipped] };
}

/** @param told gets what is told of the runs */
async function playAndCheck(round: Round, told: ToldRun[]): Promise<void> {
  await round.play();
  // What has not come to its end has left everything behind, and that is told already.
  if (await heal(round)) checkLeftBehind(round.runs, round.machines, round.story);
  told.push(...(await gather(round)));
  await check(round, told);
}

async function check(round: Round, told: readonly ToldRun[]): Promise<void> {
  const { story, operator } = round;
  await indexAgrees(round);
  const kills = await round.kills();
  round.counts.kills = kills.length;
  checkKills(kills, operator, told, story);
  for (const each of told) {
    checkOutput(each, story);
    checkEnd(each, story);
    await checkOwnExit(each, story);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
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
