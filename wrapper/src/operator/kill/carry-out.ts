/** Sends kills, shows how far they come, and says what has become of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Run, Target } from '#protocol/api';
import { DEFAULT_GRACE_MS } from '#protocol/limits';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { OperatorContext } from '../operator-context.ts';
import type { Output } from '../output.ts';
import { untilInterrupted } from '../screen/interruption.ts';
import { KillFollower } from './kill-follower.ts';
import { type KillView, openKillView } from './kill-view.ts';
import { interruptedLines, nameOf, outcomeExitCode, outcomeLines, waitedLines } from './outcome.ts';
import { mannerText } from './preview.ts';
import type { ProgressRow } from './progress-table.ts';
import type { KillOptions } from './selection.ts';

/** What is to be sent, and which runs it will hit as far as is known. */
export interface KillsToSend {
  readonly runs: readonly Run[];
  /** Printed where the list was not shown; null: nothing is. */
  readonly heading: string | null;
  /** The jobs whose runs it can kill; none where these can be any job's. */
  readonly jobs: ReadonlySet<string>;
  /** Sends it, and adds the kills to the follower as they are stored. */
  request(follower: KillFollower): Promise<void>;
  /** What it means that no run is hit. */
  readonly whenNothing: { readonly line: string; readonly exitCode: ExitCode };
  /** What `--json` prints besides the kills. */
  json?(): Readonly<Record<string, unknown>>;
}

export interface FollowOptions {
  readonly options: KillOptions;
  readonly isConfirmed: boolean;
  /** How long to wait; null: until the longest grace is over, and a minute more. 0: not at all. */
  readonly waitMs: number | null;
  readonly asJson: boolean;
}

/** After the grace, for SIGKILL, the exit of the processes, and the way back. */
const EXTRA_WAIT_MS = 60_000;

/** @param whenOver is called when all of them are over */
export async function carryOutKills(
  kills: KillsToSend,
  args: FollowOptions,
  { api, output, env }: OperatorContext,
  whenOver: (follower: KillFollower) => Promise<void> = async () => {},
): Promise<ExitCode> {
  const isShown = args.waitMs !== 0 && !args.asJson;
  let view: KillView | null = null;
  const follower = new KillFollower(api, kills.jobs, {
    steps: (steps) => view?.steps(steps),
    link: (why) => view?.link(why),
  });
  const interruption = untilInterrupted();
  try {
    // Otherwise the list has just said so.
    if (isShown && args.isConfirmed && kills.heading !== null) {
      output.line(`${kills.heading}: ${mannerText(kills.runs, args.options)}.`);
    }
    const expected = kills.runs.map((run) => rowOf(run, args.options));
    if (isShown) view = openKillView({ output, follower, expected, env });
    const requested = kills.request(follower);
    const end = await Promise.race([requested.then(() => waitForEnd(follower, kills, args)), interruption.promise]);
    view?.close();
    view = null;
    const exitCode = report(end, follower, kills, args, output);
    if (end === 'over') await whenOver(follower);
    return exitCode;
  } finally {
    view?.close();
    interruption.stop();
    follower.close();
  }
}

type End = 'over' | 'timed_out' | 'not_waited' | 'interrupted';

async function waitForEnd(
  follower: KillFollower,
  { runs }: KillsToSend,
  { waitMs, options }: FollowOptions,
): Promise<End> {
  if (waitMs === 0) return 'not_waited';
  const timeUp = new AbortController();
  const longestMs = waitMs ?? longestGraceMs(runs, options) + EXTRA_WAIT_MS;
  const timer = sleep(Math.min(longestMs, MAX_TIMER_MS), 'timed_out' as const, { signal: timeUp.signal });
  // It is aborted when the kills are over.
  timer.catch(() => {});
  const end = await Promise.race([follower.over.then(() => 'over' as const), timer]);
  timeUp.abort();
  return end;
}

/** A longer timer of Node fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

function longestGraceMs(runs: readonly Run[], { signal, grace_seconds: seconds }: KillOptions): number {
  if (signal === 'SIGKILL') return 0;
  if (seconds !== undefined) return seconds * 1_000;
  return Math.max(DEFAULT_GRACE_MS, ...runs.map(({ grace_ms }) => grace_ms));
}

function report(
  end: End,
  { progress, elapsedMs, trouble }: KillFollower,
  { whenNothing, json }: KillsToSend,
  args: FollowOptions,
  output: Output,
): ExitCode {
  const { kills, targets } = progress;
  if (args.asJson) output.json({ ...json?.(), kills });
  const print = (line: string) => output.progress(line, args.asJson);
  switch (end) {
    case 'not_waited':
      print(`Stored: ${nameOf(kills)}. leash kills shows how far it has come.`);
      return EXIT.done;
    case 'interrupted':
      for (const line of interruptedLines(targets, kills)) output.note(line);
      return EXIT.interrupted;
    case 'timed_out':
      for (const line of [...outcomeLines(targets, elapsedMs), ...waitedLines(targets, kills)]) output.note(line);
      if (trouble !== null) output.note(trouble);
      return trouble === null ? EXIT.timedOut : EXIT.outOfReach;
    case 'over':
      for (const line of outcomeLines(targets, elapsedMs)) print(line);
      return exitCodeOf(targets, whenNothing, output);
  }
}

function exitCodeOf(targets: readonly Target[], whenNothing: KillsToSend['whenNothing'], output: Output): ExitCode {
  if (targets.length > 0) return outcomeExitCode(targets);
  output.note(whenNothing.line);
  return whenNothing.exitCode;
}

function rowOf(
  { id, job, machine, kill_signal, grace_ms }: Run,
  { signal, grace_seconds: seconds }: KillOptions,
): ProgressRow {
  return {
    job,
    machine,
    run: id,
    signal: signal ?? kill_signal,
    graceMs: seconds === undefined ? grace_ms : seconds * 1_000,
    target: null,
  };
}
