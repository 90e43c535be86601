/** What there is to tell the control plane of a run, whether or not anyone is listening. */
import type { AppliedKill, Complete, Killing, Start } from '#protocol/wrapper-link';
import type { OutputLog } from '../output/log.ts';

/** What never changes. */
export type RunFacts = Pick<Start, 'run' | 'run_key' | 'pid' | 'command' | 'version' | 'limits'>;

/** The newest of a protocol list of at most 100. */
const MAX_APPLIED_KILLS = 100;
/** Someone may lean on Ctrl-C. */
const MAX_UNTOLD_STEPS = 20;

export class RunRecord {
  readonly facts: RunFacts;
  readonly log: OutputLog;
  readonly #age: () => number;
  readonly #appliedKills: () => AppliedKill[];
  #completion: Complete | null = null;
  #untoldSteps: Killing[] = [];

  /** @param age the run's age in ms, whole */
  constructor(facts: RunFacts, log: OutputLog, age: () => number, appliedKills: () => AppliedKill[]) {
    this.facts = facts;
    this.log = log;
    this.#age = age;
    this.#appliedKills = appliedKills;
  }

  get completion(): Complete | null {
    return this.#completion;
  }

  /** Steps of ending the run by ourselves that may not have been heard: `applied_kills` doesn't carry those. */
  get untoldSteps(): readonly Killing[] {
    return this.#untoldSteps;
  }

  noteKilling(killing: Killing): void {
    if (killing.command === null) this.#untoldSteps = [...this.#untoldSteps, killing].slice(-MAX_UNTOLD_STEPS);
  }

  /** These have been heard. */
  stepsTold(steps: readonly Killing[]): void {
    this.#untoldSteps = this.#untoldSteps.filter((each) => !steps.includes(each));
  }

  noteCompletion(end: Omit<Complete, 'type' | 'final_offset' | 'applied_kills'>): Complete {
    this.#completion = { type: 'complete', ...end, final_offset: this.log.end, applied_kills: this.appliedKills() };
    return this.#completion;
  }

  /** The first frame of a connection made now. */
  start(): Start {
    return {
      type: 'start',
      ...this.facts,
      phase: this.#completion === null ? 'running' : 'ended',
      age_ms: this.#age(),
      output: { from: this.log.start, to: this.log.end },
      applied_kills: this.appliedKills(),
    };
  }

  appliedKills(): AppliedKill[] {
    return this.#appliedKills().slice(-MAX_APPLIED_KILLS);
  }
}
