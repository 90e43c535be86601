/**
 * What a run writes to disk: from its start a record, so that its processes can be found even if the wrapper is killed; at
 * its end what could not be reported, to be reported later. Nothing here delays or fails the run.
 */

import { performance } from 'node:perf_hooks';
import { formatBytes } from '#shared/format-bytes';
import { withTimeout } from '#shared/with-timeout';
import { ensureFlusher, startFlusherIfNeeded } from '../flush/background.ts';
import { rescueOrphans, type SuccessorSettings, startKeeper } from '../guardian/rescue.ts';
import type { RunAddress } from '../link/dial.ts';
import type { RunReport } from '../link/run-report.ts';
import type { Unreported } from '../link/uplink.ts';
import { describeError } from '../logging/log.ts';
import type { UnackedOutput } from '../output/unacked-output.ts';
import type { SpoolContents } from '../spool/segment-list.ts';
import { fallbackDirectories } from '../state/fallback-directory.ts';
import {
  computeQuota,
  DEFAULT_OUTPUT_LIMIT_BYTES,
  DEFAULT_TOTAL_BYTES,
  initialQuota,
  spoolBytesFor,
} from '../state/quota.ts';
import { createRunDirectory, type RunDirectory } from '../state/run-directory.ts';
import type { RunFacts } from '../state/run-file.ts';
import { openState, openStateOrFallback, type State } from '../state/state-directory.ts';
import { type MemoryCopy, saveToMemory } from './memory-fallback.ts';
import type { LaunchedRun } from './run-context.ts';

/**
 * A disk on which the run has no directory this long after its start counts as missing. On a very busy machine it takes
 * seconds; and a directory that is created later, without the run's end in it, makes the run look lost.
 */
const STORAGE_MS = 20_000;
/** By then the end is usually reported, and need not be written. */
const WRITE_END_AFTER_MS = 200;
/** How long the disk may take for the last of the output; what it has not taken by then is lost. */
const FLUSH_MS = 10_000;
const END_MS = 10_000;
/** The rest can be done by another process later. */
const CLEANUP_MS = 1_000;
/** How long a run that is over continues to look for what other runs have left. */
const SEARCH_MS = 500;
const SLOW = 'the disk does not respond';

/** The result of writing everything that could not be reported. */
interface PersistResult {
  /** What could not be written to disk, and why; empty when everything was. */
  readonly failures: readonly string[];
  /** Where the end is instead. */
  readonly inMemory: MemoryCopy | null;
}

export interface RunStorage {
  readonly state: State;
  readonly directory: RunDirectory;
}

export type NewRunFacts = Omit<RunFacts, 'version' | 'wrapper'>;

export type StorageSource =
  /** The run has no directory yet; `facts` are to be written to it. */
  | { readonly kind: 'new'; readonly facts: NewRunFacts }
  /** A successor has taken over the directory, and the output in it. */
  | { readonly kind: 'adopted'; readonly storage: RunStorage; readonly output: SpoolContents };

export class RunPersistence {
  readonly #launched: LaunchedRun;
  readonly #address: RunAddress | null;
  readonly #record: RunReport;
  readonly #output: UnackedOutput;
  readonly #facts: NewRunFacts;
  /** What the run may use of the disk, if there is enough for all runs. */
  #wantedBytes: number;
  /** Null when there is none: the reason has been logged. */
  readonly #storage: Promise<RunStorage | null>;
  readonly #since = performance.now();
  /** Ends the work in the background. Thousands of runs may have left something to look through. */
  readonly #ending = new AbortController();
  /** The search for what other runs have left to be sent. */
  #search: Promise<unknown> = Promise.resolve();
  #endTimer: NodeJS.Timeout | undefined;
  /** Resolves with why the end could not be written, or null. */
  #endWritten: Promise<string | null> | null = null;

  constructor(
    launched: LaunchedRun,
    address: RunAddress | null,
    source: StorageSource,
    record: RunReport,
    output: UnackedOutput,
  ) {
    this.#launched = launched;
    this.#address = address;
    this.#record = record;
    this.#output = output;
    this.#facts = source.kind === 'new' ? source.facts : source.storage.directory.facts;
    this.#wantedBytes = launched.options.spoolLimitBytes ?? spoolBytesFor(DEFAULT_OUTPUT_LIMIT_BYTES);
    if (address !== null) output.expectSpool();
    this.#storage = this.#openStorage(source).catch((error: unknown) => {
      this.#reportUnusable(describeError(error));
      return null;
    });
  }

  /** Sets how much of the run's output the control plane keeps: as much is kept here. */
  useOutputLimit(bytes: number): void {
    this.#wantedBytes = this.#launched.options.spoolLimitBytes ?? spoolBytesFor(bytes);
    this.#output.invalidateQuota();
  }

  /** Whether what can't be reported now can be reported later. Known within STORAGE_MS from the start. */
  async isUsable(): Promise<boolean> {
    return (await this.#storageInTime()) !== null;
  }

  /** The record has its completion, which is written to disk unless it is reported within WRITE_END_AFTER_MS. */
  scheduleEndRecord(): void {
    this.#endTimer = setTimeout(() => {
      this.#endWritten = this.#writeEnd();
    }, WRITE_END_AFTER_MS);
  }

  /**
   * The run is over, and its end has been written or reported.
   *
   * @param unreported why not all of it is stored at the control plane; null when it is
   */
  async finish(unreported: Unreported | null): Promise<void> {
    clearTimeout(this.#endTimer);
    if (unreported === null && this.#hasLeftRunning) await this.#handOverToKeeper();
    else if (unreported === null) await this.#removeRecord();
    else if (unreported.refusal === 'for_good') await this.#discard(unreported.why);
    else await this.#handOver(unreported);
  }

  get #hasLeftRunning(): boolean {
    return (this.#record.completion?.left_running ?? []).length > 0;
  }

  /** Everything is reported, and processes of the run live: a keeper keeps them in reach. */
  async #handOverToKeeper(): Promise<void> {
    const storage = await this.#storageInTime();
    const endLost = await (this.#endWritten ?? this.#writeEnd());
    const kept = storage !== null && endLost === null ? storage : await this.#persistInMemory(storage);
    if (kept === null) return this.#removeRecord();
    this.#output.close();
    this.#ending.abort();
    await withTimeout(kept.directory.release(), CLEANUP_MS, { fallback: undefined });
    startKeeper(kept.directory.facts, this.#successorSettings, this.#launched.log);
  }

  get #successorSettings(): SuccessorSettings {
    const { environment } = this.#launched.launch;
    return { environment, controlPlane: this.#address?.controlPlane ?? null };
  }

  /** The control plane will never accept it: what is kept would be sent again and again, and never be stored. */
  async #discard(why: string): Promise<void> {
    const { log, run } = this.#launched;
    log.warn(`discarded ${this.#describeUnstored()} of run ${run}: the control plane will never accept it (${why})`);
    await this.#removeRecord();
  }

  /** Nothing is left to be reported. A record that can't be removed now is removed by the next flusher. */
  async #removeRecord(): Promise<void> {
    this.#output.close();
    const removed = async () => {
      await this.#endWritten;
      return (await this.#storage)?.directory.remove() ?? null;
    };
    const why = await withTimeout(removed(), CLEANUP_MS, { fallback: SLOW });
    await withTimeout(this.#search, SEARCH_MS, { fallback: undefined });
    this.#ending.abort();
    if (why !== null) this.#launched.log.info(`cannot clean up the record of this run: ${why}`);
  }

  async #handOver({ why, refusal }: Unreported): Promise<void> {
    const isRefused = refusal !== 'none';
    const { options, log, run } = this.#launched;
    const storage = await this.#storageInTime();
    const { failures, inMemory } = await this.#persistAll(storage);
    this.#ending.abort();
    const { start, end, spooledBytes, droppedBytes } = this.#output;
    const unstored = this.#describeUnstored();
    this.#output.close();
    const how = isRefused ? 'the next run or `leash flush` tries again' : 'to be sent in the background';
    if (inMemory !== null) {
      const lost = Math.max(0, end - start - spooledBytes - inMemory.outputBytes);
      const missing = lost === 0 ? '' : `; ${lost} bytes of the output are lost`;
      log.warn(
        `the control plane does not have ${unstored} of run ${run} yet (${why}), and ${failures.join(', and ')}; kept in ${inMemory.state.directory}, which a reboot empties, ${how}${missing}`,
      );
      return;
    }
    if (storage === null || failures.length > 0) {
      log.warn(
        `the control plane does not have ${unstored} of run ${run} yet (${why}), and ${failures.join(', and ')}`,
      );
      return;
    }
    if (droppedBytes > 0) {
      log.warn(
        `the control plane does not have the end of run ${run} yet (${why}); it has ${end - spooledBytes - droppedBytes} of ${end} bytes of output; ${spooledBytes} are kept in ${storage.state.directory}, ${how}; ${droppedBytes} are lost: there was no space to keep them`,
      );
      return;
    }
    const kept = `the control plane does not have ${unstored} of run ${run} yet (${why}); kept in ${storage.state.directory}, ${how}`;
    // Nothing is lost, and cron mails each line: whoever asked for quiet, or knows already, is not told.
    if (isRefused || options.quiet) log.info(kept);
    else log.warn(kept);
  }

  #describeUnstored(): string {
    const unstored = this.#output.end - this.#output.start;
    return unstored === 0 ? 'the end' : `the end and the last ${unstored} bytes of the output`;
  }

  #storageInTime(): Promise<RunStorage | null> {
    const leftMs = Math.max(0, this.#since + STORAGE_MS - performance.now());
    return withTimeout(this.#storage, leftMs, { fallback: null });
  }

  async #openStorage(source: StorageSource): Promise<RunStorage | null> {
    const storage = source.kind === 'adopted' ? source.storage : await this.#createStorage(source.facts);
    if (storage === null) {
      this.#search = this.#sendWhatIsInMemory().catch(() => undefined);
      return null;
    }
    const { run, log, launch } = this.#launched;
    const { state, directory } = storage;
    const { signal } = this.#ending;
    const rescued = rescueOrphans(state, this.#successorSettings, log, signal);
    this.#search = rescued;
    if (this.#address === null) return storage;
    const { controlPlane } = this.#address;
    const question = {
      stateDirectory: state.directory,
      run,
      totalBytes: DEFAULT_TOTAL_BYTES,
      signal,
    };
    // The run has its quota at once, however much other runs have left.
    const bytes = await initialQuota(state.directory, this.#wantedBytes);
    const recompute = () => computeQuota({ ...question, wantedBytes: this.#wantedBytes });
    const taken = source.kind === 'adopted' ? source.output : undefined;
    this.#output.useSpool(directory.path, { bytes, recompute }, taken);
    log.info(`unsent output is spooled to ${directory.path}, at most ${formatBytes(bytes)}`);
    this.#search = rescued.then(() => startFlusherIfNeeded(state, controlPlane, launch.environment, log, signal));
    return storage;
  }

  /** On a disk that takes nothing, this is all that can be sent. */
  async #sendWhatIsInMemory(): Promise<void> {
    if (this.#address === null) return;
    const { settings, launch, log } = this.#launched;
    const state = await openStateOrFallback(settings);
    if (state.kind === 'unusable' || (await fallbackDirectories(state.directory)).length === 0) return;
    await startFlusherIfNeeded(state, this.#address.controlPlane, launch.environment, log, this.#ending.signal);
  }

  async #createStorage(facts: NewRunFacts): Promise<RunStorage | null> {
    const state = await openState(this.#launched.settings);
    if (state.kind === 'unusable') return this.#reportUnusable(state.why);
    const created = await createRunDirectory(state.directory, facts, state.processes);
    return created.kind === 'failed' ? this.#reportUnusable(created.why) : { state, directory: created.directory };
  }

  /** @returns null, or why it is not on disk */
  async #writeEnd(): Promise<string | null> {
    const storage = await this.#storageInTime();
    const { completion, unreportedSteps } = this.#record;
    if (storage === null || completion === null) return null;
    return storage.directory.writeEnd({ complete: completion, unreported_steps: [...unreportedSteps] }, END_MS);
  }

  /** Writes everything to disk, or to memory where the disk does not take the end. */
  async #persistAll(storage: RunStorage | null): Promise<PersistResult> {
    const endLost = storage === null ? 'no directory can be used' : await (this.#endWritten ?? this.#writeEnd());
    const flushed = storage === null ? null : await this.#output.flush(FLUSH_MS);
    const inMemory = endLost === null ? null : await this.#persistInMemory(storage);
    const passOn = async () => {
      await inMemory?.directory.release();
      await storage?.directory.release();
      await this.#ensureFlusher();
    };
    // A disk that does not even answer gets no more to do: the directory of a process that exits is released anyway.
    await withTimeout(passOn(), CLEANUP_MS, { fallback: undefined });
    const where = inMemory === null ? '' : ' on disk';
    const failures = [
      ...(endLost === null ? [] : [`its end could not be kept${where}: ${endLost}`]),
      ...(flushed === null || flushed.kind === 'stored' || inMemory !== null
        ? []
        : [`not all of its output could be kept: ${flushed.why}`]),
    ];
    return { failures, inMemory };
  }

  /** @returns null where there is no memory for it either */
  #persistInMemory(storage: RunStorage | null): Promise<MemoryCopy | null> {
    const { completion, unreportedSteps } = this.#record;
    if (completion === null) return Promise.resolve(null);
    const end = { complete: completion, unreported_steps: [...unreportedSteps] };
    const facts = storage?.directory.facts ?? this.#facts;
    const kept = saveToMemory(facts, end, this.#output.start, storage?.directory.path ?? null, this.#launched.settings);
    return withTimeout(kept, END_MS, { fallback: null });
  }

  async #ensureFlusher(): Promise<void> {
    if (this.#address === null) return;
    const { launch, log, settings } = this.#launched;
    const state = await openStateOrFallback(settings);
    if (state.kind === 'usable') await ensureFlusher(state, this.#address.controlPlane, launch.environment, log);
  }

  #reportUnusable(why: string): null {
    const { log, started } = this.#launched;
    this.#output.spoolUnavailable();
    const line = `output cannot be spooled to disk; unsent output may be lost (the command keeps running): ${why}`;
    // What was never started prints nothing.
    if (this.#address === null || started.kind === 'withheld') log.info(line);
    else log.warn(line);
    return null;
  }
}
