/**
 * `npm run demo`: what Leash does, with real processes. Brings about every end that a run can have by its real cause, and
 * checks it; then keeps the dashboard up until Ctrl-C.
 *
 * `npm run demo -- --once` ends after the last scenario, with exit status 0 only if every check passed.
 */
import { parseArgs } from 'node:util';
import { onStopRequest } from '../scripts/local/stop-request.ts';
import { Checks } from './checks.ts';
import { DemoEnvironment } from './demo-environment.ts';
import { keepRunning } from './recurring-jobs.ts';
import { Reporter, wantsColour } from './reporter.ts';
import { runScenario } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';
import { exits } from './scenarios/exits.ts';
import { killByKill, killByTerm } from './scenarios/kills.ts';
import { powerCut } from './scenarios/power-cut.ts';
import { timeLimit } from './scenarios/time-limit.ts';
import { wrapperKilled } from './scenarios/wrapper-killed.ts';

const SCENARIOS: readonly Scenario[] = [...exits, timeLimit, killByTerm, killByKill, wrapperKilled, powerCut];

const options = readOptions();
const reporter = new Reporter((text) => process.stdout.write(text), wantsColour(process.stdout));
const checks = new Checks(reporter);
const stopRequested = onStopRequest();

const finished = new AbortController();
let environment: DemoEnvironment | null = null;
/** A person stopped it: that isn't a fault to look into. */
let stopped = false;

try {
  environment = await setUp();
  const interrupted = await Promise.race([runScenarios(environment).then(() => null), stopRequested, unexpected()]);
  stopped = interrupted !== null;
  if (interrupted !== null) checks.that(`every scenario runs: interrupted by ${interrupted}`, false);
  else if (!options.once) await serveUntilStopped(environment);
} catch (error) {
  checks.that('the demo runs', false, error instanceof Error ? error.message : String(error));
} finally {
  finished.abort();
  // A scenario that was interrupted sees everything end now: that isn't worth reporting.
  reporter.pause();
  await environment?.clear();
  reporter.resume();
}
if (checks.failed > 0 && environment !== null && !stopped)
  reporter.print(`\nThe control plane logged:\n${environment.log}`);
reporter.print(`\n${checks.passed} passed, ${checks.failed} failed`);
// Explicitly: a scenario that was interrupted may still wait for something.
process.exit(checks.failed === 0 ? 0 : 1);

function readOptions(): { once: boolean } {
  try {
    return parseArgs({ options: { once: { type: 'boolean', default: false } } }).values;
  } catch (error) {
    // The message of parseArgs names the argument.
    console.error(`${error instanceof Error ? error.message : error}\nUsage: npm run demo [-- --once]`);
    process.exit(2);
  }
}

async function setUp(): Promise<DemoEnvironment> {
  reporter.print('Leash end to end: real commands under real wrappers, on the local Cloudflare runtime.\n');
  const environment = await DemoEnvironment.create();
  reporter.event('control plane', `runs at ${environment.url}, with an empty database`);
  reporter.event('machines', 'have a token that may run jobs, and open no ports');
  reporter.event('operator', 'has a token that may read and kill');
  return environment;
}

/** Rejects on an error that nothing else catches: even then everything must be cleaned up. */
function unexpected(): Promise<never> {
  return new Promise((_resolve, reject) => {
    process.on('uncaughtException', reject);
    process.on('unhandledRejection', reject);
  });
}

async function runScenarios(environment: DemoEnvironment): Promise<void> {
  for (const scenario of SCENARIOS) {
    if (finished.signal.aborted) return;
    try {
      await runScenario(scenario, environment, reporter, checks);
    } catch (error) {
      // One scenario that goes wrong is one failure; the others still run.
      checks.that(scenario.title, false, error instanceof Error ? error.message : String(error));
    }
  }
}

async function serveUntilStopped(environment: DemoEnvironment): Promise<void> {
  keepRunning(environment, finished.signal);
  reporter.print(`
${checks.passed} passed, ${checks.failed} failed. Now try it yourself: two jobs keep running. Each\nis started again five seconds after it ends, as cron would do.

  Dashboard  ${environment.url}/#token=${environment.operatorToken}
  A kill     curl -X POST -H 'Authorization: Bearer ${environment.operatorToken}' \\
                  '${environment.url}/api/v1/jobs/stubborn/kill?wait=20'

Ctrl-C stops everything and leaves nothing behind.`);
  await Promise.race([stopRequested, environment.ended]);
}
