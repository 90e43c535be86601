/** What is to be reported of a run to the control plane, with or without a link. */
import type { LeftProcess, RelatedProcess } from '#protocol/machine-facts';
import type { RawExit } from '#protocol/run-state';
import type { AppliedKill, Complete, Killing, Start } from '#protocol/wrapper-link';
import type { OutputSource } from './reportable-run.ts';

/** What never changes. */
export type StartFacts = Pick<
  Start,
  'run' | 'run_key' | 'pid' | 'command_line' | 'version' | 'limits' | 'host' | 'about' | 'expected' | 'successor'
>;

/** What a wrapper that is gone has left to be reported: the run's end and last steps, or neither if it was killed. */
export interface RecoveredEnd {
  /** Null: the wrapper died before the command's end was recorded. */
  readonly completion: Complete | null;
  readonly unreportedSteps: readonly Killing[];
}

/** The newest of a protocol list of at most 100. */
const MAX_APPLIED_KILLS = 100;
/** A person may hold Ctrl-C down. */
const MAX_UNREPORTED_STEPS = 20;

export class RunReport<Output extends OutputSource = OutputSource> {
  readonly facts: StartFacts;
  readonly output: Output;
  readonly #age: () => number;
  readonly #appliedKills: () => readonly AppliedKill[];
  /** Whether the wrapper died, so that no completion will ever follow. */
  readonly isAbandoned: boolean;
  /** How the command exited; null before that, and where it isn't known. */
  exit: RawExit | null = null;
  /** What the run's end has left running by now, where that may have changed since; null: as the completion says. */
  left: readonly LeftProcess[] | null = null;
  /** Related processes, as last seen by a kill. */
  related: readonly RelatedProcess[] = [];
  /** Whether the link stays open when everything has been reported: for kills of what is left running. */
  keepsLinkOpen = false;
  #completion: Complete | null;
  #unreportedSteps: readonly Killing[];

  /**
   * @param age the run's age in ms, whole
   * @param recovered for a run whose wrapper is gone; null while it is supervised
   */
  constructor(
    facts: StartFacts,
    output: Output,
    age: () => number,
    appliedKills: () => readonly AppliedKill[],
    recovered: RecoveredEnd | null = null,
  ) {
    this.facts = facts;
    this.output = output;
    this.#age = age;
    this.#appliedKills = appliedKills;
    this.isAbandoned = recovered !== null && recovered.completion === null;
    this.#completion = recovered?.completion ?? null;
    this.#unreportedSteps = recovered?.unreportedSteps ?? [];
  }

  get completion(): Complete | null {
    return this.#completion;
  }

  /** Steps of the run's own kill that may not have been received: `applied_kills` doesn't contain them. */
  get unreportedSteps(): readonly Killing[] {
    return this.#unreportedSteps;
  }

  recordKilling(killing: Killing): void {
    this.related = killing.related ?? [];
    if (killing.kill !== null) return;
    // Only the newest step lists related processes: the list may be long.
    const before = this.#unreportedSteps.map(({ related: _, ...step }) => step);
    this.#unreportedSteps = [...before, killing].slice(-MAX_UNREPORTED_STEPS);
  }

  /** The control plane has received these. */
  stepsReported(steps: readonly Killing[]): void {
    this.#unreportedSteps = this.#unreportedSteps.filter((each) => !steps.includes(each));
  }

  recordCompletion(end: Omit<Complete, 'type' | 'final_offset' | 'applied_kills'>): Complete {
    this.#completion = {
      type: 'complete',
      ...end,
      final_offset: this.output.end,
      applied_kills: this.appliedKills(),
      ...this.#related(),
    };
    return this.#completion;
  }

  /** The first frame of a new connection. */
  start(): Start {
    return {
      type: 'start',
      ...this.facts,
      phase: this.#phase(),
      age_ms: this.#age(),
      output: { from: this.output.start, to: this.output.end },
      applied_kills: this.appliedKills(),
      ...this.#related(),
      answers_flush: true,
    };
  }

  #related(): Pick<Complete, 'related'> {
    return this.related.length > 0 ? { related: [...this.related] } : {};
  }

  appliedKills(): AppliedKill[] {
    return this.#appliedKills().slice(-MAX_APPLIED_KILLS);
  }

  #phase(): Start['phase'] {
    if (this.isAbandoned) return 'abandoned';
    return this.#completion === null ? 'running' : 'ended';
  }
}
