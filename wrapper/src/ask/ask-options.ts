/** What a run that asks before it starts was told about that. */
import type { Overlap, OverlapScope } from '#protocol/admission';

export interface AskOptions {
  readonly overlap: Overlap;
  readonly scope: OverlapScope;
  /** How long the first answer is waited for; null: until it comes. */
  readonly timeoutMs: number | null;
  /** What a run does that can't ask. */
  readonly ifUnreachable: 'run' | 'skip';
  /** How long it waits once it was told to wait; null: until it is told to start. */
  readonly waitTimeoutMs: number | null;
  readonly skipExitCode: number;
}
