/** Telling the control plane of one run whose wrapper is gone: its output, as far as it is on disk, and its end. */
import os from 'node:os';
import { performance } from 'node:perf_hooks';
import type { AppliedKill } from '#protocol/wrapper-link';
import { Alarm } from '../clock/alarm.ts';
import type { ControlPlane } from '../config/control-plane.ts';
import type { RunAddress } from '../link/dial.ts';
import { Link, type LinkEvents } from '../link/link.ts';
import { RunRecord } from '../link/run-record.ts';
import type { Log } from '../logging/log.ts';
import { bootId } from '../processes/process-ref.ts';
import { SpooledOutput } from '../spool/spooled-output.ts';
import type { RunDirectory } from '../state/run-directory.ts';
import { ageOf, type RunFacts } from '../state/run-file.ts';

/** What came of it. */
export type Upload =
  | { readonly kind: 'stored'; readonly bytes: number }
  /** The control plane answers, and does not take it from us. */
  | { readonly kind: 'refused'; readonly why: string }
  /** The control plane will never take this run. */
  | { readonly kind: 'rejected'; readonly why: string }
  | { readonly kind: 'unreachable'; readonly why: string }
  /** The trouble is here, and this run's own: what it has left can't be read now. */
  | { readonly kind: 'failed'; readonly why: string };

/** When nothing more was stored for so long, the control plane counts as out of reach, however often it takes our call. */
const STALLED_MS = 20_000;

/**
 * Sends what `directory` holds of a run of which nothing runs any more. Resolves when all of it is stored, or it is clear that now it won't be.
 *
 * @throws what the file system says of what can't be read
 */
export async function upload(directory: RunDirectory, controlPlane: ControlPlane, log: Log): Promise<Upload> {
  const { record, output } = await openLeftRecord(directory, () => []);
  // Its machine was restarted, say, before anybody could tell that what it had left running is gone.
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
 * A run as its directory tells of it.
 *
 * @param killsSince what has been applied since its end was noted
 * @throws what the file system says of what can't be read
 */
export async function openLeftRecord(
  directory: RunDirectory,
  killsSince: () => readonly AppliedKill[],
): Promise<{ readonly record: RunRecord<SpooledOutput>; readonly output: SpooledOutput }> {
  const { facts } = directory;
  const end = await directory.readEnd();
  const output = await SpooledOutput.open(directory.path, await directory.finalOffset());
  const record = new RunRecord(
    {
      run: facts.run,
      run_key: facts.run_key,
      pid: facts.process_tree?.leader.pid ?? null,
      command_line: facts.command_line,
      version: facts.leash_version,
      host: facts.host,
      limits: facts.limits,
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

/** What a link has to tell whoever waits for a command. No command runs here, and why there is no connection it notes, too. */
export function withoutWarnings(log: Log): Log {
  return { warn: () => {}, info: (line) => log.info(line) };
}

/** @param open opens the link; it dials by itself */
async function waitForUpload(open: (events: LinkEvents) => Link, record: RunRecord<SpooledOutput>): Promise<Upload> {
  const { output } = record;
  const now = () => performance.now();
  const bytes = output.end - output.start;
  let storedTo = output.start;
  return new Promise((resolve) => {
    let isOver = false;
    const stalled = new Alarm(now, () => finish({ kind: 'unreachable', why: 'the control plane does not answer' }));
    const finish = (result: Upload) => {
      if (isOver) return;
      isOver = true;
      stalled.clear();
      link.close().then(() => resolve(result));
    };
    const link = open({
      // The run is over: a kill comes too late, and whoever sent it is to know.
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
  const why = lastFailure ?? 'it did not say why';
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
