/** Sends everything that runs on this machine have left for one control plane, with retries. */
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
import { type Upload, uploadRun } from './upload.ts';

/** Enough to fill a connection, few enough to leave it to the runs in progress. */
const MAX_CONCURRENT = 4;
const MIN_PAUSE_MS = 1_000;
const BACKOFF_MS = 250;
const MAX_PAUSE_MS = 5 * 60_000;

/** The results of all rounds; `left` is that of the last one. */
export interface FlushResult {
  sent: number;
  /** Runs that the control plane will never accept; they are deleted. */
  readonly rejected: { readonly run: string; readonly why: string }[];
  readonly givenUp: GivenUp[];
  left: UnsentRun[];
}

/** A run that is ours to send. */
interface UnsentRun {
  readonly run: string;
  readonly why: string;
  /** The control plane refused it: another attempt soon would not help. */
  readonly isRefused: boolean;
}

function emptyResult(): FlushResult {
  return { sent: 0, rejected: [], givenUp: [], left: [] };
}

/** Tries each run once. It may work at the same time as a flusher in the background: each run is sent by one of them. */
export async function flushOnce(state: State, controlPlane: ControlPlane, log: Log): Promise<FlushResult> {
  await cleanUp(state);
  const result = emptyResult();
  await sendAll(await listUnsent(state, controlPlane), state, controlPlane, log, new Set(), result);
  return result;
}

/** Keeps trying, each run for `forMs`, unless another process does so already: then null. */
export async function keepFlushing(
  state: State,
  controlPlane: ControlPlane,
  forMs: number,
  log: Log,
): Promise<FlushResult | null> {
  const window = new RetryWindow(forMs, performance.now());
  const result = emptyResult();
  for (;;) {
    const lock = await acquireFlusherLock(state.directory, flusherKey(controlPlane), state.processes);
    if (lock === null) {
      const isEmpty = result.sent + result.rejected.length + result.givenUp.length === 0;
      return isEmpty ? null : { ...result, left: [] };
    }
    await flushUntil(window, state, controlPlane, log, result);
    await lock.release();
    // A run that ended after the last listing found the lock taken, and relies on us.
    if (!window.update(runIds(await listUnsent(state, controlPlane)), performance.now())) return result;
  }
}

async function flushUntil(
  window: RetryWindow,
  state: State,
  controlPlane: ControlPlane,
  log: Log,
  result: FlushResult,
): Promise<void> {
  await cleanUp(state);
  const hasFailed = new Set<string>();
  for (let failures = 0; ; failures += 1) {
    await rescueOrphans(state, { environment: process.env, controlPlane }, log);
    const listed = await listUnsent(state, controlPlane);
    window.update(runIds(listed), performance.now());
    const sentBefore = result.sent;
    await sendAll(listed, state, controlPlane, log, hasFailed, result);
    if (result.sent > sentBefore) failures = 0;
    // A refusal must be corrected by a person, who takes longer than we should wait: the next run tries again.
    const isOver = result.left.every(({ isRefused }) => isRefused);
    // Runs that could not even be tried, as on a disk that can't be written, must not be retried without a pause.
    if (isOver && !(await isMoreLeft(state, controlPlane, result.left))) return;
    const pauseMs = MIN_PAUSE_MS + backoffMs(failures, BACKOFF_MS, MAX_PAUSE_MS);
    if (window.isOver(performance.now() + pauseMs)) return;
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

/** @param tried the runs that were refused, and should not be tried again now */
async function isMoreLeft(state: State, controlPlane: ControlPlane, tried: readonly UnsentRun[]): Promise<boolean> {
  const runs = new Set(tried.map(({ run }) => run));
  return (await listUnsent(state, controlPlane)).some(({ run }) => !runs.has(run));
}

/**
 * One attempt for each run; when the control plane turns out to be unreachable, none for the rest.
 *
 * @param hasFailed ids of runs that are tried last, because the cause of their failure may be their own; runs that fail
 *   now are added
 */
async function sendAll(
  listed: readonly ListedRun[],
  state: State,
  controlPlane: ControlPlane,
  log: Log,
  hasFailed: Set<string>,
  result: FlushResult,
): Promise<void> {
  const waiting = [
    ...listed.filter(({ run }) => !hasFailed.has(run)),
    ...listed.filter(({ run }) => hasFailed.has(run)),
  ];
  result.left = [];
  let unreachable: string | null = null;
  await mapConcurrent(waiting, MAX_CONCURRENT, async (next) => {
    if (unreachable !== null) {
      result.left.push({ run: next.run, why: unreachable, isRefused: false });
      return;
    }
    const sentBefore = result.sent;
    const outcome = await sendOne(next, state, controlPlane, log);
    if (outcome === null) return;
    addOutcome(result, next.run, outcome, hasFailed);
    const { upload } = outcome;
    // Where other runs were sent meanwhile, the failure concerns this run alone.
    if (upload.kind === 'unreachable' && result.sent === sentBefore) unreachable = upload.why;
  });
}

/** The result of one attempt. */
interface Outcome {
  readonly upload: Upload;
  readonly givenUp: GivenUp | null;
}

function addOutcome(result: FlushResult, run: string, { upload, givenUp }: Outcome, hasFailed: Set<string>): void {
  if (givenUp !== null) result.givenUp.push(givenUp);
  if (givenUp?.isAll === true) return;
  switch (upload.kind) {
    case 'stored':
      result.sent += 1;
      return;
    case 'rejected':
      result.rejected.push({ run, why: upload.why });
      return;
    case 'refused':
    case 'unreachable':
    case 'failed':
      hasFailed.add(run);
      result.left.push({ run, why: upload.why, isRefused: upload.kind === 'refused' });
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
  const upload = await salvageOutput(directory, log)
    .then(() => uploadRun(directory, controlPlane, log))
    .catch(asFailedUpload);
  if (upload.kind === 'stored') {
    log.info(`sent run ${run} of ${job}: ${upload.bytes} bytes of output${listed.ended ? ' and its end' : ''}`);
    await removeUnlessAlive(directory, state);
    return { upload, givenUp: null };
  }
  if (upload.kind === 'rejected') {
    log.info(`run ${run} of ${job}: gave up because the control plane will never accept it: ${upload.why}`);
    await removeUnlessAlive(directory, state);
    return { upload, givenUp: null };
  }
  const givenUp = await giveUpIfDue(directory, log);
  if (givenUp !== null) log.info(`run ${run} of ${job}: gave up ${givenUp.what} (${upload.why})`);
  if (givenUp?.isAll === true) {
    await removeUnlessAlive(directory, state);
  } else {
    log.info(`run ${run} of ${job} is still unsent: ${upload.why}`);
    await directory.release();
  }
  return { upload, givenUp };
}

/** Whether its end reports processes left running, and some still are: then a keeper sends it. */
async function hasLeftRunning(directory: RunDirectory): Promise<boolean> {
  const end = await directory.readEnd().catch(() => null);
  const left = end?.complete.left_running ?? [];
  const { process_tree: origin } = directory.facts;
  return left.length > 0 && origin !== null && isAnythingLeft(openProcessTree(origin));
}

/** A failure of the disk or of our own must not keep the other runs from being sent. */
function asFailedUpload(error: unknown): Upload {
  return { kind: 'failed', why: describeError(error) };
}

/** Removes a run that needs no more sending. A command that is running without its wrapper must still be found. */
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
