/**
 * What a run leaves behind on disk if it must: a record of it from its start, so that its processes can be found even if
 * the wrapper is killed, and what could not be told, to be told later. Nothing here ever holds up or fails the run.
 */
import { performance } from 'node:perf_hooks';
import { within } from '../clock/within.ts';
import { ensureFlusher, sendWhatIsLeft } from '../flush/background.ts';
import { describeSize } from '../format/size.ts';
import { keepLeft, type Means, rescueOrphans } from '../guardian/rescue.ts';
import type { RunAddress } from '../link/dial.ts';
import type { RunRecord } from '../link/run-record.ts';
import type { Untold } from '../link/uplink.ts';
import { describeError } from '../logging/log.ts';
import type { UnackedOutput } from '../output/unacked-output.ts';
import type { OnDisk } from '../spool/segment-list.ts';
import { fallbackDirectories } from '../state/fallback-directory.ts';
import {
  DEFAULT_OUTPUT_LIMIT_BYTES,
  DEFAULT_TOTAL_BYTES,
  firstQuota,
  spoolBytesFor,
  spoolQuota,
} from '../state/quota.ts';
import { createRunDirectory, type RunDirectory } from '../state/run-directory.ts';
import type { RunFacts } from '../state/run-file.ts';
import { openLeftState, openState, type State } from '../state/state.ts';
import { type KeptInMemory, keepInMemory } from './persist-in-memory.ts';
import type { Birth } from './run-context.ts';

/**
 * A disk that has not given the run a place in so long, from the run's start on, counts as none. On a machine that is
 * very busy it takes seconds; and a place that is there after all, without the run's end in it, makes the run look lost.
 */
const PLACE_MS = 20_000;
/** Told by then, as a rule: the disk need not be bothered. */
const NOTE_END_AFTER_MS = 200;
/** The disk gets so long for the last of the output; what it can't take then is lost. */
const FLUSH_MS = 10_000;
const END_MS = 10_000;
/** What else is done at the end can be done by others later. */
const TIDY_MS = 1_000;
/** How long a run that is over goes on looking for what others have left. */
const SEARCH_MS = 500;
const SLOW = 'the disk does not answer';

/** What has come of leaving all of it behind. */
interface Left {
  /** What could not be left on disk, and why; empty when all of it could. */
  readonly failures: readonly string[];
  /** Where the end is instead. */
  readonly inMemory: KeptInMemory | null;
}

interface Place {
  readonly state: State;
  readonly directory: RunDirectory;
}

/** What a successor has taken over of what the run has on disk. */
export interface TakenPlace extends Place {
  readonly output: OnDisk;
}

export type NewFacts = Omit<RunFacts, 'version' | 'wrapper'>;

export class Estate {
  readonly #birth: Birth;
  readonly #address: RunAddress | null;
  readonly #record: RunRecord;
  readonly #output: UnackedOutput;
  readonly #facts: NewFacts;
  /** What the run may use of the disk, if there is enough for all. */
  #wantedBytes: number;
  /** Null when there is none: why has been told. */
  readonly #place: Promise<Place | null>;
  readonly #since = performance.now();
  /** Ends what goes on in the background. Thousands of runs may have left something to look through. */
  readonly #leaving = new AbortController();
  /** For what others have left to be sent. */
  #search: Promise<unknown> = Promise.resolve();
  #noteTimer: NodeJS.Timeout | undefined;
  /** Resolves with why the end could not be noted, or null. */
  #noted: Promise<string | null> | null = null;

  /** @param place what is to be noted of a run that has no place yet, or what has been taken over */
  constructor(
    birth: Birth,
    address: RunAddress | null,
    place: NewFacts | TakenPlace,
    record: RunRecord,
    output: UnackedOutput,
  ) {
    this.#birth = birth;
    this.#address = address;
    this.#record = record;
    this.#output = output;
    this.#facts = 'directory' in place ? place.directory.facts : place;
    this.#wantedBytes = birth.args.spoolLimitBytes ?? spoolBytesFor(DEFAULT_OUTPUT_LIMIT_BYTES);
    if (address !== null) output.expectSpool();
    this.#place = this.#found(place).catch((error: unknown) => {
      this.#cannotKeep(describeError(error));
      return null;
    });
  }

  /** The control plane keeps so much of the run's output: nothing is gained by keeping more, and lost by keeping less. */
  useOutputLimit(bytes: number): void {
    this.#wantedBytes = this.#birth.args.spoolLimitBytes ?? spoolBytesFor(bytes);
    this.#output.spoolLimitChanged();
  }

  /** Whether what can't be told now will be told later. Known within PLACE_MS from the start. */
  async isUsable(): Promise<boolean> {
    return (await this.#placeInTime()) !== null;
  }

  /** The record has its completion, which is kept on disk unless it is told within a moment. */
  noteEndSoon(): void {
    this.#noteTimer = setTimeout(() => {
      this.#noted = this.#noteEnd();
    }, NOTE_END_AFTER_MS);
  }

  /**
   * The run is over, and its end has been noted or been told.
   *
   * @param untold why not all of it is stored at the control plane; null when it is
   */
  async settle(untold: Untold | null): Promise<void> {
    clearTimeout(this.#noteTimer);
    if (untold === null && this.#hasLeftRunning) await this.#keepLeft();
    else if (untold === null) await this.#clear();
    else if (untold.refusal === 'for_good') await this.#giveUp(untold.why);
    else await this.#bequeath(untold);
  }

  get #hasLeftRunning(): boolean {
    return (this.#record.completion?.left_running ?? []).length > 0;
  }

  /** All is told, and something of the run lives: it is to stay in reach. */
  async #keepLeft(): Promise<void> {
    const place = await this.#placeInTime();
    const endLost = await (this.#noted ?? this.#noteEnd());
    const kept = place !== null && endLost === null ? place : await this.#keepInMemory(place);
    if (kept === null) return this.#clear();
    this.#output.close();
    this.#leaving.abort();
    await within(kept.directory.release(), TIDY_MS, undefined);
    keepLeft(kept.directory.facts, this.#means, this.#birth.log);
  }

  get #means(): Means {
    const { environment } = this.#birth.launch;
    return { environment, controlPlane: this.#address?.controlPlane ?? null };
  }

  /** The control plane will never take it: what is kept would be sent again and again, and never be stored. */
  async #giveUp(why: string): Promise<void> {
    const { log, run } = this.#birth;
    log.warn(`the control plane will never have ${this.#describeUnstored()} of run ${run} (${why}): not kept`);
    await this.#clear();
  }

  /** Nothing is left to be told. A record that can't be removed now is found, and removed, by the next flusher. */
  async #clear(): Promise<void> {
    this.#output.close();
    const removed = async () => {
      await this.#noted;
      return (await this.#place)?.directory.remove() ?? null;
    };
    const why = await within(removed(), TIDY_MS, SLOW);
    await within(this.#search, SEARCH_MS, undefined);
    this.#leaving.abort();
    if (why !== null) this.#birth.log.info(`cannot tidy up the record of this run: ${why}`);
  }

  async #bequeath({ why, refusal }: Untold): Promise<void> {
    const isRefused = refusal !== 'none';
    const { args, log, run } = this.#birth;
    const place = await this.#placeInTime();
    const { failures, inMemory } = await this.#leave(place);
    this.#leaving.abort();
    const { start, end, spooled, dropped } = this.#output;
    const unstored = this.#describeUnstored();
    this.#output.close();
    const how = isRefused ? 'the next run or `leash flush` tries again' : 'to be sent in the background';
    if (inMemory !== null) {
      const lost = Math.max(0, end - start - spooled - inMemory.outputBytes);
      const missing = lost === 0 ? '' : `; ${lost} bytes of the output are lost`;
      log.warn(
        `the control plane does not have ${unstored} of run ${run} yet (${why}), and ${failures.join(', and ')}; kept in ${inMemory.state.directory}, which a restart of this machine empties, ${how}${missing}`,
      );
      return;
    }
    if (place === null || failures.length > 0) {
      log.warn(
        `the control plane does not have ${unstored} of run ${run} yet (${why}), and ${failures.join(', and ')}`,
      );
      return;
    }
    if (dropped > 0) {
      log.warn(
        `the control plane does not have the end of run ${run} yet (${why}); of ${end} bytes of its output it has ${end - spooled - dropped}; ${spooled} are kept in ${place.state.directory}, ${how}; ${dropped} are lost: more than could be kept`,
      );
      return;
    }
    const kept = `the control plane does not have ${unstored} of run ${run} yet (${why}); kept in ${place.state.directory}, ${how}`;
    // Nothing is lost, and cron mails each line: whoever asked for quiet, or knows already, is not told.
    if (isRefused || args.quiet) log.info(kept);
    else log.warn(kept);
  }

  #describeUnstored(): string {
    const unstored = this.#output.end - this.#output.start;
    return unstored === 0 ? 'the end' : `the end and the last ${unstored} bytes of the output`;
  }

  #placeInTime(): Promise<Place | null> {
    return within(this.#place, Math.max(0, this.#since + PLACE_MS - performance.now()), null);
  }

  async #found(given: NewFacts | TakenPlace): Promise<Place | null> {
    const taken = 'directory' in given ? given : null;
    const place = taken ?? ('directory' in given ? null : await this.#settleDown(given));
    if (place === null) {
      this.#search = this.#sendWhatIsInMemory().catch(() => undefined);
      return null;
    }
    const { run, log, launch } = this.#birth;
    const { state, directory } = place;
    const { signal } = this.#leaving;
    const rescued = rescueOrphans(state, this.#means, log, signal);
    this.#search = rescued;
    if (this.#address === null) return place;
    const { controlPlane } = this.#address;
    const question = {
      stateDirectory: state.directory,
      run,
      totalBytes: DEFAULT_TOTAL_BYTES,
      signal,
    };
    // The run has its place at once, however much others have left.
    const bytes = await firstQuota(state.directory, this.#wantedBytes);
    const again = () => spoolQuota({ ...question, wantedBytes: this.#wantedBytes });
    this.#output.useSpool(directory.path, { bytes, again }, taken?.output);
    log.info(`what can't be sent is kept in ${directory.path}, at most ${describeSize(bytes)}`);
    this.#search = rescued.then(() => sendWhatIsLeft(state, controlPlane, launch.environment, log, signal));
    return place;
  }

  /** On a disk that takes nothing, only that can be sent. */
  async #sendWhatIsInMemory(): Promise<void> {
    if (this.#address === null) return;
    const { settings, launch, log } = this.#birth;
    const state = await openLeftState(settings);
    if (state.kind === 'unusable' || (await fallbackDirectories(state.directory)).length === 0) return;
    await sendWhatIsLeft(state, this.#address.controlPlane, launch.environment, log, this.#leaving.signal);
  }

  async #settleDown(facts: NewFacts): Promise<Place | null> {
    const state = await openState(this.#birth.settings);
    if (state.kind === 'unusable') return this.#cannotKeep(state.why);
    const created = await createRunDirectory(state.directory, facts, state.processes);
    return created.kind === 'failed' ? this.#cannotKeep(created.why) : { state, directory: created.directory };
  }

  /** @returns null, or why it is not on disk */
  async #noteEnd(): Promise<string | null> {
    const place = await this.#placeInTime();
    const { completion, untoldSteps } = this.#record;
    if (place === null || completion === null) return null;
    return place.directory.writeEnd({ complete: completion, untold_steps: [...untoldSteps] }, END_MS);
  }

  /** Leaves all of it on disk, or in memory where the disk does not take the end. */
  async #leave(place: Place | null): Promise<Left> {
    const endLost = place === null ? 'there is no place for it' : await (this.#noted ?? this.#noteEnd());
    const flushed = place === null ? null : await this.#output.flush(FLUSH_MS);
    const inMemory = endLost === null ? null : await this.#keepInMemory(place);
    const passOn = async () => {
      await inMemory?.directory.release();
      await place?.directory.release();
      await this.#ensureFlusher();
    };
    // A disk that does not even answer gets no more to do: whoever dies has given its directory back.
    await within(passOn(), TIDY_MS, undefined);
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
  #keepInMemory(place: Place | null): Promise<KeptInMemory | null> {
    const { completion, untoldSteps } = this.#record;
    if (completion === null) return Promise.resolve(null);
    const end = { complete: completion, untold_steps: [...untoldSteps] };
    const facts = place?.directory.facts ?? this.#facts;
    const kept = keepInMemory(facts, end, this.#output.start, place?.directory.path ?? null, this.#birth.settings);
    return within(kept, END_MS, null);
  }

  async #ensureFlusher(): Promise<void> {
    if (this.#address === null) return;
    const { launch, log, settings } = this.#birth;
    const state = await openLeftState(settings);
    if (state.kind === 'usable') await ensureFlusher(state, this.#address.controlPlane, launch.environment, log);
  }

  #cannotKeep(why: string): null {
    const { log } = this.#birth;
    this.#output.noSpool();
    const line = `what can't be sent can't be kept on disk, the command runs all the same: ${why}`;
    if (this.#address === null) log.info(line);
    else log.warn(line);
    return null;
  }
}
