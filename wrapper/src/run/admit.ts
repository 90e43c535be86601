/** `--ask`: the run asks before it starts, and is started or not. Loaded for such a run only. */
import { performance } from 'node:perf_hooks';
import { isatty } from 'node:tty';
import type { Answer, BlockingRun } from '#protocol/admission';
import { defaultInstance } from '#protocol/names';
import type { SkipReason } from '#protocol/run-state';
import { formatDuration } from '#shared/format-duration';
import { type AskResult, ask } from '../ask/ask.ts';
import type { AskOptions } from '../ask/ask-options.ts';
import { AskingLink } from '../ask/asking-link.ts';
import type { AskOutcome } from '../ask/patience.ts';
import type { LocalSignals } from '../host/local-signals.ts';
import { FENCE_VARIABLE } from '../launch/command-environment.ts';
import { prepareOutput } from '../launch/start-command.ts';
import type { Log } from '../logging/log.ts';
import { launchCommand, withholdCommand } from './launch.ts';
import { addressOf, createStartFacts, type LaunchedRun, type PreparedRun, type Withheld } from './run-context.ts';

/** Asks, waits as long as that takes, and starts the command or withholds it. */
export async function admit(
  asking: PreparedRun,
  options: AskOptions,
  signals: Pick<LocalSignals, 'onTerminate' | 'queue'>,
): Promise<LaunchedRun> {
  const askedAt = new Date();
  const since = performance.now();
  // The instance is part of the address: it is named once, before the start is known.
  const instance = asking.options.instance ?? defaultInstance(asking.options.job, askedAt);
  const prepared = { ...asking, options: { ...asking.options, instance } };
  const { log } = prepared;
  const address = addressOf({ ...prepared, startedAt: askedAt });
  if (address === null) return withoutAnswer(prepared, options, whyUnsupervised(prepared), null);

  const question = { overlap: options.overlap, scope: options.scope, skip_exit_code: options.skipExitCode };
  const link = new AskingLink(address, createStartFacts(prepared), question, log);
  const result = await ask(link, options, signals, (answer) => reportWait(prepared, answer));
  const waitedMs = performance.now() - since;
  switch (result.kind) {
    case 'start':
      log.info(`may start, fence ${result.fence}: asked for ${formatDuration(waitedMs)}`);
      return start(withFence(prepared, result.fence), link);
    case 'unreachable':
      return withoutAnswer(prepared, options, link.why, link);
    case 'skip':
      reportSkip(prepared, describeSkip(result, waitedMs));
      return withholdCommand(prepared, skipped(result.reason, options), link);
    case 'killed':
    case 'signaled':
      return withholdCommand(prepared, ended(result, link, log), link);
  }
}

function start(prepared: PreparedRun, asked: AskingLink | null): Promise<LaunchedRun> {
  return launchCommand(prepared, prepareOutput(prepared.options.merge), asked);
}

/** The variables of `--env` come last, as with all others. */
function withFence(prepared: PreparedRun, fence: number | null): PreparedRun {
  return fence === null ? prepared : { ...prepared, env: { [FENCE_VARIABLE]: String(fence), ...prepared.env } };
}

function withoutAnswer(
  prepared: PreparedRun,
  options: AskOptions,
  why: string,
  asked: AskingLink | null,
): Promise<LaunchedRun> | LaunchedRun {
  const line = `could not ask the control plane before the start (${why.replace(/\.$/, '')})`;
  switch (options.ifUnreachable) {
    case 'run':
      prepared.log.warn(`${line}: starting without an answer, because of --if-unreachable run`);
      return start(prepared, asked);
    case 'skip':
      reportSkip(prepared, `not started: ${line}, and --if-unreachable skip`);
      return withholdCommand(prepared, skipped('unreachable', options), asked);
  }
}

function whyUnsupervised({ configuration }: PreparedRun): string {
  return configuration.kind === 'unsupervised' ? configuration.why : '';
}

function skipped(reason: SkipReason, { skipExitCode }: AskOptions): Withheld['cause'] {
  return { kind: 'skipped', reason, exitCode: skipExitCode };
}

function ended(
  result: Extract<AskResult, { kind: 'killed' | 'signaled' }>,
  { kills }: AskingLink,
  log: Log,
): Withheld['cause'] {
  if (result.kind === 'killed') return { kind: 'killed', kills };
  log.warn(`ended by ${result.signal} before the start: nothing was started`);
  return { kind: 'signaled', signal: result.signal };
}

/** Cron mails what a run prints: whoever asked for quiet knows that it may be skipped. */
function reportSkip({ options, log }: PreparedRun, line: string): void {
  if (options.quiet) log.info(line);
  else log.warn(line);
}

/** Someone at a terminal wonders why nothing happens; cron would mail a line for each run that waits a little. */
function reportWait({ options, log }: PreparedRun, { reason, detail, blocked_by }: Answer): void {
  const line = `waiting to start: ${describeObstacle(reason ?? 'overlap', detail, blocked_by)}`;
  if (!options.quiet && isatty(2)) log.warn(line);
  else log.info(line);
}

function describeSkip({ reason, answer, isTimeUp }: Extract<AskOutcome, { kind: 'skip' }>, waitedMs: number): string {
  const when = isTimeUp ? ` after waiting for ${formatDuration(waitedMs)}` : '';
  return `not started${when}: ${describeObstacle(reason, answer.detail, answer.blocked_by)}`;
}

/** @param detail an operator's order, as `maintenance by alice until 2026-01-31 12:00:00Z: restoring` */
function describeObstacle(reason: SkipReason, detail: string | null, runs: readonly BlockingRun[]): string {
  switch (reason) {
    case 'overlap':
      return describeRuns(runs);
    case 'brake':
    case 'maintenance':
      return detail ?? reason;
    case 'unreachable':
      return 'the control plane could not decide';
  }
}

function describeRuns([first, ...others]: readonly BlockingRun[]): string {
  if (first === undefined) return 'another run is in the way';
  const since = first.started_at.slice(0, 19).replace('T', ' ');
  const more = others.length === 0 ? '' : `, and ${others.length} more`;
  return `run ${first.run} on ${first.machine} is in the way, since ${since}Z${more}`;
}
