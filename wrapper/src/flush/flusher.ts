/** Sends all that runs on this machine have left for one control plane, again and again if need be. */
import { performance } from 'node:perf_hooks';
import { backoffMs } from '#shared/backoff';
import { mapConcurrent } from '#shared/map-concurrent';
import type { ControlPlane } from '../config/control-plane.ts';
import { rescueOrphans, startKeeper } from '../guardian/rescue.ts';
import { cleanUpMemory } from '../journal/run-journal.ts';
import { describeError, type Log } from '../logging/log.ts';
import { removeSpent } from '../orphans/orphans.ts';
import { salvageOutput } from '../output/inherited-output.ts';
import { isAnythingLeft } from '../processes/left-running.ts';
import { emptyTree, openProcessTree } from '../processes/process-tree.ts';
import { removeDelivered, removeUnfinished } from '../state/cleanup.ts';
import { claim, type RunDirectory } from '../state/run-directory.ts';
import { isToBeSent, iterateUnfinishedRuns, type ListedRun, listRuns } from '../state/run-listing.ts';
import type { State } from '../state/state-directory.ts';
import { acquireFlusherLock, flusherKey } from './flusher-lock.ts';
import { type GivenUp, giveUpIfDue } from './give-up.ts';
import { RetryWindow } from './retry-window.ts';
import { type Upload, upload } from './upload.ts';

/** So many runs at a time: enough to fill a link, few enough to leave it to the runs of now. */
const MAX_CONCURRENT = 4;
const MIN_PAUSE_MS = 1_000;
const BACKOFF_MS = 250;
const MAX_PAUSE_MS = 5 * 60_000;

export interface Flushed {
  sent: number;
  /** What the control plane will never take, and is not kept any longer. */
  readonly rejected: readonly Rejected[];
  /** What could not be sent for too long. */
  readonly givenUp: readonly GivenUp[];
  /** What is left that is for us to send. */
  readonly left: readonly Left[];
}

interface Rejected {
  readonly run: string;
  readonly why: string;
}

interface Left {
  readonly run: string;
  readonly why: string;
  /** The control plane does not want it from us: to try again soon is of no use. */
  readonly isRefused: boolean;
}

/** Tries each run once. Works beside a flusher in the background: each run is sent by one of them. */
export async function flushOnce(state: State, controlPlane: ControlPlane, log: Log): Promise<Flushed> {
  await cleanUp(state);
  return sendAll(await listUnsent(state, controlPlane), state, controlPlane, log, new Set());
}

/** Keeps trying, each run for `forMs`, unless another does so already: then null. */
export async function keepFlushing(
  state: State,
  controlPlane: ControlPlane,
  forMs: number,
  log: Log,
): Promise<Flushed | null> {
  const patience = new RetryWindow(forMs, performance.now());
  let sent = 0;
  const rejected: Rejected[] = [];
  const givenUp: GivenUp[] = [];
  for (;;) {
    const lock = await acquireFlusherLock(state.directory, flusherKey(controlPlane), state.processes);
    if (lock === null) {
      const isEmpty = sent + rejected.length + givenUp.length === 0;
      return isEmpty ? null : { sent, rejected, givenUp, left: [] };
    }
    const flushed = await flushUntil(patience, state, controlPlane, log);
    await lock.release();
    sent += flushed.sent;
    rejected.push(...flushed.rejected);
    givenUp.push(...flushed.givenUp);
    // A run that ended after the last look found the lock taken, and relies on us.
    if (!patience.addRuns(runIds(await listUnsent(state, controlPlane)), performance.now())) {
      return { sent, rejected, givenUp, left: flushed.left };
    }
  }
}

async function flushUntil(patience: RetryWindow, state: State, controlPlane: ControlPlane, log: Log): Promise<Flushed> {
  await cleanUp(state);
  let sent = 0;
  const rejected: Rejected[] = [];
  const givenUp: GivenUp[] = [];
  const hasFailed = new Set<string>();
  for (let failures = 0; ; failures += 1) {
    await rescueOrphans(state, { environment: process.env, controlPlane }, log);
    const listed = await listUnsent(state, controlPlane);
    patience.addRuns(runIds(listed), performance.now());
    const round = await sendAll(listed, state, controlPlane, log, hasFailed);
    sent += round.sent;
    rejected.push(...round.rejected);
    givenUp.push(...round.givenUp);
    if (round.sent > 0) failures = 0;
    // A refusal is a person's mistake, mended at a person's pace: the next run tries again.
    const isOver = round.left.every(({ isRefused }) => isRefused);
    // What is not even ours to try, as on a disk that can't be written, is no reason to try without a pause.
    if (isOver && !(await isMoreLeft(state, controlPlane, round.left)))
      return { sent, rejected, givenUp, left: round.left };
    const pauseMs = MIN_PAUSE_MS + backoffMs(failures, BACKOFF_MS, MAX_PAUSE_MS);
    if (patience.isOver(performance.now() + pauseMs)) return { sent, rejected, givenUp, left: round.left };
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

async function cleanUp(state: State): Promise<void> {
  await cleanUpMemoryOf(state);
  await removeUnfinished(state.directory, state.processes);
  await removeSpent(state);
}

async function cleanUpMemoryOf({ directory, processes }: State): Promise<void> {
  const wanted = new Set<string>();
  for await (const { facts } of iterateUnfinishedRuns(directory, processes)) {
    const journal = facts.kind === 'read' ? facts.value.supervision.journal : null;
    if (journal !== null) wanted.add(journal);
  }
  cleanUpMemory(processes, wanted);
}

async function listUnsent(state: State, controlPlane: ControlPlane): Promise<ListedRun[]> {
  const listed = await listRuns(state.directory, state.processes);
  return listed.filter((each) => isToBeSent(each, controlPlane, state.processes));
}

function runIds(runs: readonly ListedRun[]): string[] {
  return runs.map(({ run }) => run);
}

/** @param tried what has been refused, and is not to be tried again now */
async function isMoreLeft(state: State, controlPlane: ControlPlane, tried: readonly Left[]): Promise<boolean> {
  const runs = new Set(tried.map(({ run }) => run));
  return (await listUnsent(state, controlPlane)).some(({ run }) => !runs.has(run));
}

/**
 * One attempt for each run; when the control plane turns out to be out of reach, none for the rest.
 *
 * @param hasFailed ids of runs that come last, and into which those go that fail now: what keeps one of them from being
 *   sent may be its own
 */
async function sendAll(
  listed: readonly ListedRun[],
  state: State,
  controlPlane: ControlPlane,
  log: Log,
  hasFailed: Set<string>,
): Promise<Flushed> {
  const waiting = [
    ...listed.filter(({ run }) => !hasFailed.has(run)),
    ...listed.filter(({ run }) => hasFailed.has(run)),
  ];
  const round: Round = { sent: 0, rejected: [], givenUp: [], left: [], failed: hasFailed };
  let unreachable: string | null = null;
  await mapConcurrent(waiting, MAX_CONCURRENT, async (next) => {
    if (unreachable !== null) {
      round.left.push({ run: next.run, why: unreachable, isRefused: false });
      return;
    }
    const sentBefore = round.sent;
    const outcome = await sendOne(next, state, controlPlane, log);
    if (outcome === null) return;
    const { result } = outcome;
    addOutcome(round, next.run, outcome);
    // Where others got through meanwhile, the trouble is this run's own.
    if (result.kind === 'unreachable' && round.sent === sentBefore) unreachable = result.why;
  });
  return round;
}

/** What has come of one attempt. */
interface Outcome {
  readonly result: Upload;
  readonly givenUp: GivenUp | null;
}

/** What has come of a round so far. */
interface Round extends Flushed {
  readonly rejected: Rejected[];
  readonly givenUp: GivenUp[];
  readonly left: Left[];
  readonly failed: Set<string>;
}

function addOutcome(round: Round, run: string, { result, givenUp }: Outcome): void {
  if (givenUp !== null) round.givenUp.push(givenUp);
  if (givenUp?.isAll === true) return;
  switch (result.kind) {
    case 'stored':
      round.sent += 1;
      return;
    case 'rejected':
      round.rejected.push({ run, why: result.why });
      return;
    case 'refused':
    case 'unreachable':
    case 'failed':
      round.failed.add(run);
      round.left.push({ run, why: result.why, isRefused: result.kind === 'refused' });
      return;
  }
}

/** @returns null when another process was faster */
async function sendOne(listed: ListedRun, state: State, controlPlane: ControlPlane, log: Log): Promise<Outcome | null> {
  const directory = await claim(listed.path, state.processes);
  if (directory === null) return null;
  const { run, job } = directory.facts;
  if (await hasLeftRunning(directory)) {
    await directory.release();
    startKeeper(directory.facts, { environment: process.env, controlPlane }, log);
    return null;
  }
  const result = await salvageOutput(directory, log)
    .then(() => upload(directory, controlPlane, log))
    .catch(asFailedUpload);
  if (result.kind === 'stored') {
    log.info(`sent run ${run} of ${job}: ${result.bytes} bytes of output${listed.ended ? ' and its end' : ''}`);
    await removeUnlessAlive(directory, state);
  } else if (result.kind === 'rejected') {
    log.info(`run ${run} of ${job} will never be taken, and is given up: ${result.why}`);
    await removeUnlessAlive(directory, state);
  } else {
    const givenUp = await giveUpIfDue(directory, log);
    if (givenUp !== null) log.info(`run ${run} of ${job}: given up is ${givenUp.what} (${result.why})`);
    if (givenUp?.isAll === true) {
      await removeUnlessAlive(directory, state);
    } else {
      log.info(`run ${run} of ${job} is still to be sent: ${result.why}`);
      await directory.release();
    }
    return { result, givenUp };
  }
  return { result, givenUp: null };
}

/** Whether its end says so, and it still seems to be so: then it is for a keeper to send. */
async function hasLeftRunning(directory: RunDirectory): Promise<boolean> {
  const end = await directory.readEnd().catch(() => null);
  const left = end?.complete.left_running ?? [];
  const { process_tree: origin } = directory.facts;
  return left.length > 0 && origin !== null && isAnythingLeft(openProcessTree(origin));
}

/** The disk fails, or we do: no reason not to send the others. */
function asFailedUpload(error: unknown): Upload {
  return { kind: 'failed', why: describeError(error) };
}

/** Nothing of it is to be sent any more. A command that still lives without its wrapper must stay findable. */
async function removeUnlessAlive(directory: RunDirectory, state: State): Promise<void> {
  const { process_tree: origin } = directory.facts;
  const tree = origin === null ? emptyTree : openProcessTree(origin);
  if ((await directory.readEnd()) === null && tree.members().length > 0) {
    await directory.markUploaded();
    await directory.release();
    return;
  }
  tree.release();
  await removeDelivered(directory, state.directory, state.processes);
}
