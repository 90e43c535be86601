/**
 * One run from its first byte until all of it is delivered, in virtual time: a command that prints and is
 * killed, a wrapper that may die and be taken over by what its spool holds, a network that fails, an object that restarts.
 */
import type { StreamName } from '#protocol/output-frame';
import type { AppliedKill, KillMessage } from '#protocol/wrapper-link';
import { type Random, randomFrom } from '#testing/random';
import type { ByteRange } from '#testing/stored-run';
import { OutputBuffer } from '../../../src/buffer/output-buffer.ts';
import type { ReportableRun } from '../../../src/link/reportable-run.ts';
import { type RecoveredEnd, RunReport, type StartFacts } from '../../../src/link/run-report.ts';
import { FetchedOutput } from './fetched-output.ts';
import { JobObject } from './job-object.ts';
import { Printed } from './printed.ts';
import { VirtualTime } from './virtual-time.ts';
import { Wire } from './wire.ts';
import { SimulatedWrapper } from './wrapper.ts';

export const FAULTS = ['cut', 'half_open', 'restart', 'restart_unnoticed', 'outage'] as const;

export interface Scenario {
  /** For everything that chance decides on the way. */
  readonly seed: number;
  readonly latencyMs: number;
  readonly manglePercent: number;
  readonly laterPercent: number;
  /** What may be held of the output. */
  readonly capacity: number;
  readonly prints: readonly { readonly afterMs: number; readonly stream: StreamName; readonly bytes: number }[];
  /** The command's end, after its last print. */
  readonly endsAfterMs: number;
  readonly faults: readonly { readonly atMs: number; readonly kind: (typeof FAULTS)[number] }[];
  /** What fails each time a completion has reached the object and was not yet acked, in order. */
  readonly atCompletion: readonly ('cut' | 'restart')[];
  readonly killsAtMs: readonly number[];
  readonly death: Death | null;
}

export interface Death {
  readonly atMs: number;
  /** How much of what was held had reached the disk, from 0 to 1. */
  readonly onDisk: number;
  /** Whether the end had, if there was one. */
  readonly endOnDisk: boolean;
  readonly takeoverAfterMs: number;
}

/** The result. */
export interface Outcome {
  /** What should never happen, and did. */
  readonly faults: readonly string[];
  /** What the object refused. */
  readonly refused: readonly string[];
  /** What the object has stored. */
  readonly stored: JobObject['stored'];
  readonly printed: number;
  /** Where the output of the last wrapper ends. */
  readonly held: number;
  readonly abandoned: boolean;
  /** The kills that the wrapper has carried out, with how often. */
  readonly applied: ReadonlyMap<string, number>;
  /** What the sources had to drop. */
  readonly dropped: readonly ByteRange[];
  readonly tookMs: number;
}

const FACTS: StartFacts = {
  run: '01J00000000000000000000000',
  run_key: '0'.repeat(32),
  pid: 1,
  command_line: 'true',
  version: '0',
  limits: { timeout_ms: null, grace_ms: 0 },
};
const LONGEST_MS = 30 * 60_000;
const MOST_STEPS = 200_000;

/** Runs the scenario. Throws if it doesn't end. */
export function simulate(scenario: Scenario): Outcome {
  return new Simulation(scenario).run();
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #time = new VirtualTime();
  readonly #random: Random;
  readonly #printed = new Printed();
  readonly #object: JobObject;
  readonly #log: OutputBuffer;
  readonly #record: RunReport;
  readonly #sources: FetchedOutput[] = [];
  readonly #wrappers: SimulatedWrapper[] = [];
  readonly #kills = new Map<string, AppliedKill>();
  readonly #applied = new Map<string, number>();
  readonly #atCompletion: ('cut' | 'restart')[];
  #wire: Wire | null = null;
  #downUntil = 0;
  #dead = false;
  #abandoned = false;
  #takenOver = true;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#random = randomFrom(scenario.seed);
    this.#object = new JobObject(this.#time, this.#random, this.#printed);
    this.#log = new OutputBuffer(scenario.capacity);
    this.#record = this.#newRecord(this.#log);
    this.#atCompletion = [...scenario.atCompletion];
  }

  run(): Outcome {
    this.#speakFor(this.#record, this.#log, []);
    this.#schedule();
    this.#time.run(() => this.#isOver(), LONGEST_MS, MOST_STEPS);
    return {
      faults: [...this.#object.faults, ...this.#wrappers.flatMap((each) => each.faults)],
      refused: this.#object.refused,
      stored: this.#object.stored,
      printed: this.#printed.end,
      held: this.#sources.at(-1)?.end ?? 0,
      abandoned: this.#abandoned,
      applied: this.#applied,
      dropped: this.#sources.flatMap((each) => each.dropped),
      tookMs: this.#time.now,
    };
  }

  #schedule(): void {
    const { prints, endsAfterMs, faults, killsAtMs, death } = this.#scenario;
    let atMs = 0;
    for (const { afterMs, stream, bytes } of prints) {
      atMs += afterMs;
      this.#time.after(atMs, () => this.#print(stream, bytes));
    }
    this.#time.after(atMs + endsAfterMs, () => this.#end());
    for (const fault of faults) this.#time.after(fault.atMs, () => this.#fail(fault.kind));
    for (const [index, killAtMs] of killsAtMs.entries()) {
      this.#time.after(killAtMs, () => this.#object.kill(`01J${String(index).padStart(23, '0')}`));
    }
    if (death !== null) this.#time.after(death.atMs, () => this.#die(death));
    this.#object.onTaken = ({ type }) => {
      const fault = type === 'complete' ? this.#atCompletion.shift() : undefined;
      // Not in the middle of what the object is doing.
      if (fault !== undefined) this.#time.after(0, () => this.#fail(fault));
    };
  }

  #isOver(): boolean {
    return this.#takenOver && this.#wrappers.at(-1)?.isAllStored === true;
  }

  #print(stream: StreamName, bytes: number): void {
    if (this.#dead || this.#record.completion !== null) return;
    this.#log.append(stream, this.#printed.print(stream, bytes));
    this.#wrappers[0]?.outputGrew();
  }

  /** The command is gone, by itself or by a kill. */
  #end(): void {
    const wrapper = this.#wrappers[0];
    if (wrapper === undefined || this.#dead || this.#record.completion !== null) return;
    for (const { kill, phase } of this.#kills.values()) if (phase === 'term') this.#advance(wrapper, kill, 'gone');
    const isKilled = this.#kills.size > 0;
    const exitCode = isKilled ? 143 : 0;
    this.#record.recordCompletion({
      exit_code: exitCode,
      command_exit_code: exitCode,
      signal: null,
      reason: isKilled ? 'operator' : 'exited',
      duration_ms: Math.round(this.#time.now),
    });
    wrapper.completed();
  }

  #fail(kind: Scenario['faults'][number]['kind']): void {
    switch (kind) {
      case 'cut':
        this.#wire?.cut(['wrapper', 'object']);
        return;
      case 'half_open':
        this.#wire?.cut(this.#random.percent(50) ? ['object'] : []);
        return;
      case 'restart':
        this.#object.restart(true);
        return;
      case 'restart_unnoticed':
        this.#object.restart(false);
        return;
      case 'outage':
        this.#downUntil = this.#time.now + this.#random.below(30_000);
        this.#object.restart(true);
        return;
    }
  }

  #connect(): Wire {
    const { latencyMs, manglePercent, faults } = this.#scenario;
    // In the end the network is as it should be, or nothing would ever have to arrive.
    const isQuiet = this.#time.now > Math.max(0, ...faults.map(({ atMs }) => atMs)) + 60_000;
    const wire = new Wire(this.#time, this.#random, { latencyMs, manglePercent: isQuiet ? 0 : manglePercent });
    this.#wire = wire;
    if (this.#time.now < this.#downUntil) wire.cut(['wrapper']);
    else this.#object.connect(wire);
    return wire;
  }

  #speakFor(record: RunReport, log: OutputBuffer, missing: readonly ByteRange[]): void {
    const source = new FetchedOutput(log, missing, this.#time, this.#random, this.#scenario.laterPercent);
    const run: ReportableRun = {
      output: source,
      get completion() {
        return record.completion;
      },
      get unreportedSteps() {
        return record.unreportedSteps;
      },
      left: null,
      keepsLinkOpen: false,
      stepsReported: (steps) => record.stepsReported(steps),
      start: () => record.start(),
    };
    const wrapper = new SimulatedWrapper(
      this.#time,
      this.#random,
      run,
      () => this.#connect(),
      (kill) => this.#onKill(wrapper, kill),
    );
    source.onReadable = () => wrapper.outputReadable();
    this.#sources.push(source);
    this.#wrappers.push(wrapper);
  }

  #newRecord(log: OutputBuffer, recovered: RecoveredEnd | null = null): RunReport {
    return new RunReport(
      FACTS,
      log,
      () => Math.round(this.#time.now),
      () => [...this.#kills.values()],
      recovered,
    );
  }

  #onKill(wrapper: SimulatedWrapper, kill: KillMessage): void {
    const hasEnded = this.#dead || this.#record.completion !== null;
    if (hasEnded && !this.#kills.has(kill.kill)) {
      wrapper.killing({ type: 'killing', reason: 'operator', ...progress(kill.kill, 'refused') });
      return;
    }
    if (this.#kills.has(kill.kill)) return;
    this.#applied.set(kill.kill, (this.#applied.get(kill.kill) ?? 0) + 1);
    this.#advance(wrapper, kill.kill, 'term');
    this.#time.after(this.#random.below(2_000), () => this.#end());
  }

  #advance(wrapper: SimulatedWrapper, kill: string, phase: 'term' | 'gone'): void {
    const applied = progress(kill, phase);
    this.#kills.set(kill, applied);
    wrapper.killing({ type: 'killing', reason: 'operator', ...applied });
  }

  #die({ onDisk, endOnDisk, takeoverAfterMs }: Death): void {
    const wrapper = this.#wrappers[0];
    if (wrapper === undefined || wrapper.isAllStored) return;
    this.#dead = true;
    wrapper.die(this.#random.percent(50));
    const ended = this.#record.completion !== null && endOnDisk;
    const { start, end } = this.#log;
    const upTo = start + Math.floor((end - start) * onDisk);
    this.#abandoned = !ended;
    this.#takenOver = false;
    this.#time.after(takeoverAfterMs, () => {
      this.#takenOver = true;
      this.#takeOver(start, ended ? end : upTo, ended && upTo < end ? [{ from: upTo, to: end }] : []);
    });
  }

  /** Another process speaks for the run, with what the spool holds: the output up to `end` without `missing`. */
  #takeOver(start: number, end: number, missing: readonly ByteRange[]): void {
    const log = new OutputBuffer(Number.POSITIVE_INFINITY);
    for (const { stream, bytes } of this.#printed.upTo(end)) log.append(stream, bytes);
    log.free(start);
    const completion = this.#abandoned ? null : this.#record.completion;
    this.#speakFor(this.#newRecord(log, { completion, unreportedSteps: [] }), log, missing);
  }
}

function progress(kill: string, phase: AppliedKill['phase']): AppliedKill {
  return { kill, phase, signal: 'SIGTERM', at_ms: 0, survivors: [], unnamed_survivors: false };
}
