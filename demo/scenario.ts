/** One scene: a command on a machine, what happens to it, and what must be true afterwards. */
import type { Run, RunEvent } from '#protocol/api';
import type { EndState } from '#protocol/run-state';
import type { WrapperProcess } from '../scripts/local/wrapper-process.ts';
import type { Checks } from './checks.ts';
import type { Narrator } from './narrator.ts';
import type { Stage } from './stage.ts';

export interface Scenario {
  readonly title: string;
  readonly job: string;
  readonly machine: string;
  /** Flags of `leash run`. */
  readonly flags?: readonly string[];
  readonly command: readonly string[];
  /** What someone does to it once it runs. */
  readonly act?: (scene: Scene) => Promise<void>;
  readonly expect: Expectation;
  /** What else must be true when all is over. */
  readonly verify?: (scene: Scene, end: SceneEnd) => void;
}

export interface Expectation {
  readonly state: EndState;
  readonly exitCode: number;
  /** What `leash run` exits with; null where the wrapper itself was killed. */
  readonly wrapperExit: number | null;
  /** What happened to the run, in this order; other events may stand between. */
  readonly events: readonly string[];
  /** Lines that the control plane must have stored, in this order; other lines may stand between. */
  readonly output: readonly string[];
}

/** A scene while it is played. */
export interface Scene {
  readonly stage: Stage;
  readonly narrator: Narrator;
  readonly checks: Checks;
  readonly wrapper: WrapperProcess;
  /** The run as last seen. */
  readonly run: Run;
  /** Waits until a line has arrived over the watch socket. */
  line(text: string): Promise<void>;
}

export interface SceneEnd {
  readonly run: Run;
  readonly events: readonly RunEvent[];
  readonly output: string;
}

/** How an event is named in {@link Expectation.events}: a kill's progress by its phase. */
export function eventName(event: RunEvent): string {
  return event.type === 'kill_progress' ? event.phase : event.type;
}
