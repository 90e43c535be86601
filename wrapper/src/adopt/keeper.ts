/**
 * Keeps what a run has left running in reach: the run is over and reported, but processes of it live. As long as one of
 * them does, an operator can kill them by this link.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { withTimeout } from '#shared/with-timeout';
import type { ControlPlane } from '../config/control-plane.ts';
import { addressOf, openLeftRecord, withoutWarnings } from '../flush/upload.ts';
import { Link, type LinkState } from '../link/link.ts';
import type { Log } from '../logging/log.ts';
import { describeProcesses, findRelated, withRelated } from '../processes/describe-processes.ts';
import { openProcessTree, type ProcessTree, type ProcessTreeOrigin } from '../processes/process-tree.ts';
import type { RedactionRules } from '../redact/redactor.ts';
import { removeDelivered } from '../state/cleanup.ts';
import type { RunDirectory } from '../state/run-directory.ts';
import type { State } from '../state/state-directory.ts';
import { KillsAfterEnd } from './kills-after-end.ts';

/** Pauses between looks: nothing waits for their result, and a process that lives for weeks must not cost many of them. */
const FIRST_PAUSE_MS = 3_000;
const LONGEST_PAUSE_MS = 30_000;
const BACK_OFF = 1.5;
/** How long a keeper tries to report that nothing is left; in a longer outage a flusher does so for all runs. */
const REPORT_MS = 60_000;

/**
 * Resolves when nothing is left of the run and the control plane knows that, refuses it or can't be reached. Its directory
 * has been removed by then, or released.
 *
 * @returns whether a flusher is to report the rest
 */
export async function keepReachable(
  directory: RunDirectory,
  origin: ProcessTreeOrigin,
  controlPlane: ControlPlane,
  rules: RedactionRules,
  state: State,
  log: Log,
): Promise<boolean> {
  const tree = openProcessTree(origin);
  const { record, output } = await openLeftRecord(directory, () => kills.applied);
  const { limits, supervision } = directory.facts;
  const defaults = { signal: supervision.signal, graceMs: limits.grace_ms };
  const kills = new KillsAfterEnd(tree, defaults, () => record.start().age_ms, log, {
    killing: (step) => {
      const reported = withRelated(step, findRelated(tree, rules, log));
      record.recordKilling(reported);
      link.killing(kills.withTiming(reported));
    },
    gone: () => look(),
  });
  record.keepsLinkOpen = true;
  const address = addressOf(directory.facts, controlPlane);
  let wake = (): void => {};
  const link = new Link(
    address,
    record,
    { kill: (kill, receivedAt) => kills.request(kill, receivedAt), changed: () => wake() },
    withoutWarnings(log),
  );
  output.onReadable = () => link.outputReadable();
  let known = '';
  const look = () => {
    const pids = tree.remaining();
    const related = tree.related();
    const now = JSON.stringify([pids, related]);
    if (now === known) return;
    known = now;
    record.left = describeProcesses(pids, related, rules);
    record.keepsLinkOpen = record.left.length > 0;
    link.leftChanged();
  };
  look();
  for (let pauseMs = FIRST_PAUSE_MS; record.keepsLinkOpen && !isRefused(link.state); ) {
    await sleep(pauseMs);
    pauseMs = Math.min(pauseMs * BACK_OFF, LONGEST_PAUSE_MS);
    look();
  }
  const isReported = new Promise<void>((resolve) => {
    wake = () => {
      if (link.state === 'all_stored' || isRefused(link.state)) resolve();
    };
    wake();
  });
  await withTimeout(isReported, REPORT_MS, { fallback: undefined });
  const isToBeReported = !record.keepsLinkOpen && link.state !== 'all_stored' && !isRefused(link.state);
  const isReportedInFull = link.state === 'all_stored';
  await link.close();
  await output.close();
  await releaseDirectory(directory, tree, isReportedInFull ? state : null);
  return isToBeReported;
}

function isRefused(state: LinkState): boolean {
  return state === 'rejected' || state === 'refused' || state === 'given_up';
}

async function releaseDirectory(directory: RunDirectory, tree: ProcessTree, reportedIn: State | null): Promise<void> {
  tree.release();
  if (reportedIn !== null) await removeDelivered(directory, reportedIn.directory, reportedIn.processes);
  else await directory.release();
}
