/** A run that asks before its start, as the link reports it: from its start on, the run itself. */
import type { Question } from '#protocol/admission';
import type { Start } from '#protocol/wrapper-link';
import type { OutputSource, ReportableRun } from '../link/reportable-run.ts';
import type { StartFacts } from '../link/run-report.ts';

const NO_OUTPUT: OutputSource = { start: 0, end: 0, free() {}, read: () => null };

export class AskingRun implements ReportableRun {
  readonly #facts: StartFacts;
  readonly #question: Question;
  #run: ReportableRun | null = null;

  constructor(facts: StartFacts, question: Question) {
    this.#facts = facts;
    this.#question = question;
  }

  /** It no longer asks: from now on `run` is reported. */
  become(run: ReportableRun): void {
    this.#run = run;
  }

  get output(): OutputSource {
    return this.#run?.output ?? NO_OUTPUT;
  }

  get completion(): ReportableRun['completion'] {
    return this.#run?.completion ?? null;
  }

  get unreportedSteps(): ReportableRun['unreportedSteps'] {
    return this.#run?.unreportedSteps ?? [];
  }

  get left(): ReportableRun['left'] {
    return this.#run?.left ?? null;
  }

  get keepsLinkOpen(): boolean {
    return this.#run?.keepsLinkOpen ?? false;
  }

  stepsReported(steps: Parameters<ReportableRun['stepsReported']>[0]): void {
    this.#run?.stepsReported(steps);
  }

  start(): Start {
    return this.#run?.start() ?? this.#ask();
  }

  #ask(): Start {
    return {
      type: 'start',
      ...this.#facts,
      phase: 'waiting',
      question: this.#question,
      age_ms: 0,
      output: { from: 0, to: 0 },
      applied_kills: [],
      answers_flush: true,
    };
  }
}
