/** Sends one run whose wrapper is gone to the control plane: its output on disk, and its end. */
import os from 'node:os';
import { performance } from 'node:perf_hooks';
import type { AppliedKill } from '#protocol/wrapper-link';
import { LongTimer } from '../clock/long-timer.ts';
import type { ControlPlane } from '../config/control-plane.ts';
import type { RunAddress } from '../link/dial.ts';
import { Link, type LinkEvents } from '../link/link.ts';
import { RunReport } from '../link/run-report.ts';
import type { Log } from '../logging/log.ts';
import { bootId } from '../processes/process-ref.ts';
import { SpooledOutput } from '../spool/spooled-output.ts';
import type { RunDirectory } from '../state/run-directory.ts';
import { ageOf, type RunFacts } from '../state/run-file.ts';

export type Upload =
  | { readonly kind: 'stored'; readonly bytes: number }
  /** The control plane does not accept it from us. */
  | { readonly kind: 'refused'; readonly why: string }
  /** The control plane will never accept this run. */
  | { readonly kind: 'rejected'; readonly why: string }
  | { readonly kind: 'unreachable'; readonly why: string }
  /** A local failure that concerns this run alone: its files can't be read now. */
  | { readonly kind: 'failed'; readonly why: string };

/** When nothing was stored for this long, the control plane counts as unreachable, even if it accepts connections. */
const STALLED_MS = 20_000;

/**
 * Sends a run that has no processes any more. Resolves when everything is stored, or can't be for now.
 *
 * @throws file system errors
 */
export async function uploadRun(directory: RunDirectory, controlPlane: ControlPlane, log: Log): Promise<Upload> {
  const { record, output } = await openLeftRecord(directory, () => []);
  // A restart of the machine, for example, has ended what the run had left running.
  if (record.completion?.left_running !== undefined) record.left = [];
  const address = addressOf(directory.facts, controlPlane);
  try {
    return await waitForUpload((events) => {
      const link = new Link(address, record, events, withoutWarnings(log));
      output.onReadable = () => link.outputReadable();
      return link;
    }, record);
  } finally {
    await output.close();
  }
}

/**
 * Reads a run's record and output from its directory.
 *
 * @param killsSince the kills that have been applied since its end was written
 * @throws file system errors
 */
export async function openLeftRecord(
  directory: RunDirectory,
  killsSince: () => readonly AppliedKill[],
): Promise<{ readonly record: RunReport<SpooledOutput>; readonly output: SpooledOutput }> {
  const { facts } = directory;
  const end = await directory.readEnd();
  const output = await SpooledOutput.open(directory.path, await directory.finalOffset());
  const record = new RunReport(
    {
      run: facts.run,
      run_key: facts.run_key,
      pid: facts.process_tree?.leader.pid ?? null,
      command_line: facts.command_line,
      expected: facts.expected,
      version: facts.leash_version,
      host: facts.host,
      limits: facts.limits,
      about: facts.about,
      successor: facts.supervision.successor,
    },
    output,
    () => ageOf(facts, { bootId: bootId(), uptimeMs: os.uptime() * 1_000, epochMs: Date.now() }),
    () => [...(end?.complete.applied_kills ?? []), ...killsSince()],
    { completion: end?.complete ?? null, unreportedSteps: end?.unreported_steps ?? [] },
  );
  return { record, output };
}

export function addressOf(facts: RunFacts, controlPlane: ControlPlane): RunAddress {
  return {
    controlPlane: { ...controlPlane, caFile: facts.control_plane?.ca_file ?? controlPlane.caFile },
    job: facts.job,
    run: facts.run,
    instance: facts.instance,
    machine: facts.machine,
  };
}

/** The log for a link of a run that has ended: nothing it may warn of concerns a command. */
export function withoutWarnings(log: Log): Log {
  return { warn: () => {}, info: (line) => log.info(line) };
}

/** @param open opens the link, which dials by itself */
async function waitForUpload(open: (events: LinkEvents) => Link, record: RunReport<SpooledOutput>): Promise<Upload> {
  const { output } = record;
  const now = () => performance.now();
  const bytes = output.end - output.start;
  let storedTo = output.start;
  return new Promise((resolve) => {
    let isOver = false;
    const stalled = new LongTimer(now, () =>
      finish({ kind: 'unreachable', why: 'the control plane does not respond' }),
    );
    const finish = (result: Upload) => {
      if (isOver) return;
      isOver = true;
      stalled.clear();
      link.close().then(() => resolve(result));
    };
    const link = open({
      // The run has ended: the kill comes too late, and its sender should know.
      kill: ({ kill }) =>
        link.killing({
          type: 'killing',
          kill,
          reason: 'operator',
          phase: 'refused',
          signal: null,
          at_ms: record.start().age_ms,
          survivors: [],
          unnamed_survivors: false,
        }),
      changed: () => {
        if (output.start > storedTo) stalled.set(now() + STALLED_MS);
        storedTo = output.start;
        const result = resultOf(link, bytes);
        if (result !== null) finish(result);
      },
    });
    stalled.set(now() + STALLED_MS);
  });
}

function resultOf({ state, lastFailure }: Link, bytes: number): Upload | null {
  const why = lastFailure ?? 'no reason given';
  switch (state) {
    case 'all_stored':
      return { kind: 'stored', bytes };
    case 'rejected':
      return { kind: 'rejected', why };
    case 'refused':
    case 'given_up':
      return { kind: 'refused', why };
    case 'offline':
      return { kind: 'unreachable', why };
    case 'connecting':
    case 'connected':
      return null;
  }
}
