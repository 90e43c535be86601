/**
 * `npm run demo`: what Leash does, with real processes. Every end that a run can have is brought about by its real cause
 * and checked; then the page is there to look at, until Ctrl-C.
 *
 * `npm run demo -- --once` ends after the story, with exit status 0 only if every expectation was met.
 */
import { parseArgs } from 'node:util';
import { onStopRequest } from '../scripts/local/stop-request.ts';
import { Checks } from './checks.ts';
import { keepRunning } from './living-jobs.ts';
import { Narrator, wantsColour } from './narrator.ts';
import { play } from './play.ts';
import type { Scenario } from './scenario.ts';
import { exits } from './scenarios/exits.ts';
import { killByKill, killByTerm } from './scenarios/kills.ts';
import { powerCut } from './scenarios/power-cut.ts';
import { timeLimit } from './scenarios/time-limit.ts';
import { wrapperKilled } from './scenarios/wrapper-killed.ts';
import { Stage } from './stage.ts';

const STORY: readonly Scenario[] = [...exits, timeLimit, killByTerm, killByKill, wrapperKilled, powerCut];

const options = readOptions();
const narrator = new Narrator((text) => process.stdout.write(text), wantsColour(process.stdout));
const checks = new Checks(narrator);
const stopRequested = onStopRequest();

const told = new AbortController();
let stage: Stage | null = null;
/** Someone wanted no more of it: that is no fault to be searched for. */
let stopped = false;

try {
  stage = await setStage();
  const interrupted = await Promise.race([tellStory(stage).then(() => null), stopRequested, unexpected()]);
  stopped = interrupted !== null;
  if (interrupted !== null) checks.that(`the story is told to its end, not stopped by ${interrupted}`, false);
  else if (!options.once) await stayUp(stage);
} catch (error) {
  checks.that('the demo runs', false, error instanceof Error ? error.message : String(error));
} finally {
  told.abort();
  // A scene that was cut off sees everything end now: none of that belongs to the story.
  narrator.pause();
  await stage?.clear();
  narrator.resume();
}
if (checks.failed > 0 && stage !== null && !stopped) narrator.say(`\nThe control plane logged:\n${stage.log}`);
narrator.say(`\n${checks.passed} passed, ${checks.failed} failed`);
// By name: a scene that was cut off may still wait for something.
process.exit(checks.failed === 0 ? 0 : 1);

function readOptions(): { once: boolean } {
  try {
    return parseArgs({ options: { once: { type: 'boolean', default: false } } }).values;
  } catch (error) {
    // parseArgs throws for what it can't read, with a message that says what.
    console.error(`${error instanceof Error ? error.message : error}\nUsage: npm run demo [-- --once]`);
    process.exit(2);
  }
}

async function setStage(): Promise<Stage> {
  narrator.say('Leash, from start to end: real commands under real wrappers, on the local Cloudflare runtime.\n');
  const stage = await Stage.set();
  narrator.event('control plane', `is up at ${stage.url}, with an empty database`);
  narrator.event('machines', 'hold a token that may run jobs, and open no port');
  narrator.event('operator', 'holds a token that may read and kill');
  return stage;
}

/** Rejects when something fails where nobody catches it: even then nothing may stay behind. */
function unexpected(): Promise<never> {
  return new Promise((_resolve, reject) => {
    process.on('uncaughtException', reject);
    process.on('unhandledRejection', reject);
  });
}

async function tellStory(stage: Stage): Promise<void> {
  for (const scenario of STORY) {
    if (told.signal.aborted) return;
    try {
      await play(scenario, stage, narrator, checks);
    } catch (error) {
      // One scene that goes wrong is one failure; the others are still worth telling.
      checks.that(scenario.title, false, error instanceof Error ? error.message : String(error));
    }
  }
}

async function stayUp(stage: Stage): Promise<void> {
  keepRunning(stage, told.signal);
  narrator.say(`
${checks.passed} passed, ${checks.failed} failed. Now look for yourself: two jobs go on running, and are\nstarted again five seconds after they end, as cron would.

  The page   ${stage.url}/#token=${stage.operatorToken}
  A kill     curl -X POST -H 'Authorization: Bearer ${stage.operatorToken}' \\
                  '${stage.url}/api/v1/jobs/stubborn/kill?wait=20'

Ctrl-C stops everything and leaves nothing behind.`);
  await Promise.race([stopRequested, stage.ended]);
}
