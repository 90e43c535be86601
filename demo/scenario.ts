/** One scenario: a command on a machine, what happens to it, and what must be true afterwards. */
import type { Run, RunEvent } from '#protocol/api';
import type { EndState } from '#protocol/run-state';
import type { WrapperProcess } from '../scripts/local/wrapper-process.ts';
import type { Checks } from './checks.ts';
import type { DemoEnvironment } from './demo-environment.ts';
import type { Reporter } from './reporter.ts';

export interface Scenario {
  readonly title: string;
  readonly job: string;
  readonly machine: string;
  /** Flags of `leash run`. */
  readonly flags?: readonly string[];
  readonly command: readonly string[];
  /** What happens to it once it runs. */
  readonly act?: (context: ScenarioContext) => Promise<void>;
  readonly expect: Expectation;
  /** What else must be true at the end. */
  readonly verify?: (context: ScenarioContext, end: ScenarioResult) => void;
}

export interface Expectation {
  readonly state: EndState;
  readonly exitCode: number;
  /** What `leash run` exits with; null where the wrapper itself was killed. */
  readonly wrapperExit: number | null;
  /** What happened to the run, in this order; others may be between them. */
  readonly events: readonly string[];
  /** Lines that the control plane must have stored, in this order; others may be between them. */
  readonly output: readonly string[];
}

/** What a scenario works with while it runs. */
export interface ScenarioContext {
  readonly environment: DemoEnvironment;
  readonly reporter: Reporter;
  readonly checks: Checks;
  readonly wrapper: WrapperProcess;
  /** The run as last seen. */
  readonly run: Run;
  /** Waits until a line has arrived over the watch socket. */
  line(text: string): Promise<void>;
}

export interface ScenarioResult {
  readonly run: Run;
  readonly events: readonly RunEvent[];
  readonly output: string;
}

/** How an event is named in {@link Expectation.events}: a kill's progress by its phase. */
export function eventName(event: RunEvent): string {
  return event.type === 'kill_progress' ? event.phase : event.type;
}
