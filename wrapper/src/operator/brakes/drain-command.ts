/** `leash drain`: maintenance for machines, then waits until nothing runs on them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { formatDuration } from '#shared/format-duration';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { runsText } from '../kill/preview.ts';
import { requestKills } from '../kill/request-kill.ts';
import { callsForRuns } from '../kill/selection.ts';
import { listRuns, openRuns, take } from '../list-runs.ts';
import type { OperatorContext } from '../operator-context.ts';
import { ApiError } from '../operator-error.ts';
import { untilInterrupted } from '../screen/interruption.ts';
import { setBrake } from './set-brake.ts';

export interface DrainArguments {
  /** Names or globs. */
  readonly machines: readonly string[];
  readonly forMs: number;
  readonly reason: string | null;
  /** Whether to wait until nothing runs there. */
  readonly isWaiting: boolean;
  /** When to kill what still runs there; null: never. */
  readonly killAfterMs: number | null;
  readonly asJson: boolean;
}

const POLL_MS = 2_000;

export async function drainCommand(args: DrainArguments, context: OperatorContext): Promise<ExitCode> {
  const { output } = context;
  const { machines, forMs, reason, asJson } = args;
  const { brake, raw } = await setBrake({ jobs: [], machines, forMs, reason, kill: false }, asJson, context);
  const interruption = untilInterrupted();
  try {
    const wait = new Drain(args, Date.parse(brake.until), context);
    const end = await Promise.race([wait.run(), interruption.promise.then(() => EXIT.interrupted)]);
    if (end === EXIT.interrupted) output.note('Interrupted. The maintenance continues.');
    if (asJson) output.json({ brake: raw, runs: wait.runs });
    return end;
  } finally {
    interruption.stop();
  }
}

class Drain {
  readonly #args: DrainArguments;
  readonly #untilMs: number;
  readonly #context: OperatorContext;
  readonly #startedMs: number;
  #isKilled = false;
  #isOutOfReach = false;
  #said = '';
  /** What was on the machines when it last looked. */
  runs: readonly Run[] = [];

  constructor(args: DrainArguments, untilMs: number, context: OperatorContext) {
    this.#args = args;
    this.#untilMs = untilMs;
    this.#context = context;
    this.#startedMs = context.api.now();
  }

  async run(): Promise<ExitCode> {
    for (;;) {
      const end = await this.#lookPatiently();
      if (end !== null) return end;
      await sleep(POLL_MS);
    }
  }

  /** A wait of hours outlasts a deploy of the control plane. @returns null: to be looked at again */
  async #lookPatiently(): Promise<ExitCode | null> {
    try {
      const end = await this.#look();
      this.#isOutOfReach = false;
      return end;
    } catch (error) {
      const isOutOfReach = error instanceof ApiError && error.exitCode === EXIT.outOfReach;
      if (!isOutOfReach || !this.#args.isWaiting || this.#isOver()) throw error;
      if (!this.#isOutOfReach) this.#context.output.note(`${error.message} Trying again until the maintenance ends.`);
      this.#isOutOfReach = true;
      return null;
    }
  }

  async #look(): Promise<ExitCode | null> {
    this.runs = await this.#open();
    const live = this.runs.filter(({ state }) => isLive(state));
    if (live.length === 0) return this.#empty();
    const line = runningLine(live);
    if (line !== this.#said) this.#say(line);
    this.#said = line;
    if (!this.#args.isWaiting) return EXIT.done;
    if (this.#isOver()) {
      this.#context.output.note('The maintenance has ended, and they still run.');
      return EXIT.timedOut;
    }
    await this.#killIfDue(live);
    return null;
  }

  #say(line: string): void {
    this.#context.output.progress(line, this.#args.asJson);
  }

  #isOver(): boolean {
    return this.#context.api.now() >= this.#untilMs;
  }

  /** Nothing runs, as far as is known. */
  async #empty(): Promise<ExitCode> {
    const { machines } = this.#args;
    const lost = this.runs.length;
    if (lost === 0) {
      for (const machine of machines) {
        if (!(await this.#isKnown(machine)))
          this.#context.output.note(`No run on ${machine} is known. Is the name right?`);
      }
      this.#say(`Nothing runs on ${machines.join(', ')}.`);
      return EXIT.done;
    }
    const are = lost === 1 ? 'is' : 'are';
    this.#context.output.note(
      `${runsText(this.runs)} ${are} lost: whether ${lost === 1 ? 'it' : 'they'} still ${lost === 1 ? 'runs' : 'run'} there is unknown. Look at the machine.`,
    );
    return EXIT.failed;
  }

  async #killIfDue(live: readonly Run[]): Promise<void> {
    const { killAfterMs, reason } = this.#args;
    const { api, output } = this.#context;
    if (killAfterMs === null || this.#isKilled || api.now() < this.#startedMs + killAfterMs) return;
    this.#say(`Killing ${runsText(live)}, after ${formatDuration(killAfterMs)}.`);
    const calls = callsForRuns(live, { reason: reason === null ? 'drain' : `drain: ${reason}` });
    const onRetry = (why: string) => output.note(`${why} Trying again: it stays one kill.`);
    await requestKills(api, calls, onRetry, () => {});
    this.#isKilled = true;
  }

  /** Whether anything has ever run there. A glob would have to be looked for among all runs. */
  async #isKnown(machine: string): Promise<boolean> {
    if (machine.includes('*')) return true;
    const on = { jobs: [], machines: [machine], instance: null, tags: [], states: [], since: null };
    for await (const _run of listRuns(this.#context.api, on, { pageSize: 1 })) return true;
    return false;
  }

  async #open(): Promise<Run[]> {
    const on = { jobs: [], machines: this.#args.machines, instance: null, tags: [] };
    const runs = await take(openRuns(this.#context.api, on));
    return runs.map(({ value }) => value);
  }
}

/** How many runs it names. */
const MAX_NAMED = 5;

/** `Still running: backup on web-1 (01K…), sync on web-1 (01K…), and 3 more.` */
function runningLine(runs: readonly Run[]): string {
  const sorted = runs.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const named = sorted.slice(0, MAX_NAMED).map(({ job, machine, id }) => `${job} on ${machine} (${id})`);
  const more = runs.length > MAX_NAMED ? `, and ${runs.length - MAX_NAMED} more` : '';
  return `Still running: ${named.join(', ')}${more}.`;
}
