/**
 * How long runs, events and kills are kept: a daily deadline, in small steps.
 *
 * The object leads. What it has removed is noted in the outbox like any change, and D1 removes it, too: of a run that is
 * not here any more there is no state to send, so no old note can bring it back.
 */
import { log } from '../../shared/log.ts';
import { daysInMs, type Settings } from '../../shared/settings.ts';
import type { DeadlineBook } from './deadlines.ts';
import type { EventLog } from './event-log.ts';
import type { KillStore } from './kill-store.ts';
import type { Outbox } from './outbox.ts';
import { BYTES_PER_STEP, type OutputBounds } from './output-bounds.ts';
import type { OutputLog } from './output-log.ts';
import type { RunRecord, RunStore } from './run-store.ts';
import type { Sockets } from './sockets.ts';
import type { Viewers } from './viewers.ts';

const EVERY_MS = daysInMs(1);
/** Between two steps, so that what has arrived meanwhile gets its turn. */
const PAUSE_MS = 50;
/** When nothing is left but to tell D1, this is looked at again soon: then the storage can go, too. */
const LEAVING_MS = 5_000;
const RUNS_PER_STEP = 20;
const KILLS_PER_STEP = 50;
const EVENTS_PER_STEP = 500;

export class Retention {
  readonly #job: string;
  readonly #settings: Settings;
  readonly #runs: RunStore;
  readonly #events: EventLog;
  readonly #output: OutputLog;
  readonly #bounds: OutputBounds;
  readonly #kills: KillStore;
  readonly #sockets: Sockets;
  readonly #viewers: Viewers;
  readonly #deadlines: DeadlineBook;
  readonly #outbox: Outbox;

  constructor(parts: {
    job: string;
    settings: Settings;
    runs: RunStore;
    events: EventLog;
    output: OutputLog;
    bounds: OutputBounds;
    kills: KillStore;
    sockets: Sockets;
    viewers: Viewers;
    deadlines: DeadlineBook;
    outbox: Outbox;
  }) {
    this.#job = parts.job;
    this.#settings = parts.settings;
    this.#runs = parts.runs;
    this.#events = parts.events;
    this.#output = parts.output;
    this.#bounds = parts.bounds;
    this.#kills = parts.kills;
    this.#sockets = parts.sockets;
    this.#viewers = parts.viewers;
    this.#deadlines = parts.deadlines;
    this.#outbox = parts.outbox;
  }

  /** Sees to it that there is a next time. */
  attend(): void {
    if (!this.#deadlines.has('retain', '')) this.#deadlines.arm('retain', '', Date.now() + EVERY_MS);
  }

  /** The `retain` deadline: one step, and the next is due soon if there is more to do, else in a day. */
  step(): void {
    const now = Date.now();
    this.#bounds.checkJob();
    const more = [this.#removeEvents(now), this.#removeRuns(now), this.#removeKills(now)].includes(true);
    this.#deadlines.arm('retain', '', now + (more ? PAUSE_MS : this.#isLeaving ? LEAVING_MS : EVERY_MS));
  }

  get #isLeaving(): boolean {
    return this.#runs.isEmpty() && this.#kills.isEmpty() && !this.#outbox.isEmpty;
  }

  #removeEvents(now: number): boolean {
    const before = now - daysInMs(this.#settings.eventDays);
    return this.#events.removeBefore(before, EVENTS_PER_STEP) === EVENTS_PER_STEP;
  }

  #removeRuns(now: number): boolean {
    const ended = this.#runs.endedBefore(now - daysInMs(this.#settings.runDays), RUNS_PER_STEP);
    // Whoever is still sending output of such a run is let finish: the next day is early enough.
    const silent = ended.filter((run) => this.#sockets.current(run) === null);
    let removed = 0;
    let bytes = 0;
    for (const run of silent) {
      if (bytes > BYTES_PER_STEP || !this.#removeRun(run, now)) return true;
      removed += 1;
      bytes += run.outputSize;
    }
    if (removed > 0) log.info('runs_removed', { job: this.#job, runs: removed });
    return ended.length === RUNS_PER_STEP && removed > 0;
  }

  /** @returns whether all of it is gone: what is much goes in several steps */
  #removeRun(run: RunRecord, now: number): boolean {
    if (this.#events.remove(run.id, EVENTS_PER_STEP) === EVENTS_PER_STEP) return false;
    if (!this.#bounds.trimToNothing(run)) return false;
    this.#output.remove(run.id);
    for (const kill of this.#kills.removeTargetsAt(run.id)) this.#removeKillIfOver(kill, now);
    this.#runs.remove(run.id);
    this.#outbox.note('run', run.id, run.seq + 1);
    this.#viewers.forgotten(this.#job, run.id, run.seq + 1);
    return true;
  }

  /** Those that nobody came for: the others go with the last of their runs. */
  #removeKills(now: number): boolean {
    const before = now - daysInMs(this.#settings.runDays);
    const forgotten = this.#kills.withoutTargets(before, KILLS_PER_STEP);
    for (const kill of forgotten) this.#removeKillIfOver(kill, now);
    return forgotten.length === KILLS_PER_STEP;
  }

  #removeKillIfOver(id: string, now: number): void {
    const kill = this.#kills.get(id);
    if (kill === null || kill.expiresAt > now || this.#kills.hasTargets(id)) return;
    this.#kills.remove(id);
    this.#outbox.note('kill', id, kill.seq + 1);
  }
}
