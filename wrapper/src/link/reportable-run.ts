/** What the link must know of the run that it tells of, whoever keeps it: the wrapper, or a spool that one left behind. */
import type { LeftProcess } from '#protocol/machine-facts';
import type { Complete, Killing, Start } from '#protocol/wrapper-link';
import type { OutputChunk } from '../buffer/output-buffer.ts';

/** A run's unacked output. */
export interface OutputSource {
  /** Everything before this offset is stored elsewhere and no longer held. */
  readonly start: number;
  /** The offset of the next byte. */
  readonly end: number;
  /** Forgets everything before `offset`, which may lie beyond the end: the peer says so. */
  free(offset: number): void;
  /**
   * What there is to send from `offset` on: at most `maxBytes` of one stream, or a whole gap.
   *
   * `later`: it must be fetched first. Then the source says so, never during this call, and the same is asked again; how
   * often it says so does no harm, as long as it does after its last `later`. There is one reader, who may go elsewhere
   * meanwhile.
   *
   * @returns null when `offset` is the end
   */
  read(offset: number, maxBytes: number): OutputChunk | { readonly kind: 'later' } | null;
}

export interface ReportableRun {
  readonly output: OutputSource;
  /** Null until the run has ended, and for ever in a run that was abandoned. */
  readonly completion: Complete | null;
  /** Steps of ending the run by ourselves that may not have been heard. */
  readonly unreportedSteps: readonly Killing[];
  /** These have been heard. */
  stepsReported(steps: readonly Killing[]): void;
  /** What the run's end has left running by now; null: as the completion says. A new list each time it changes. */
  readonly left: readonly LeftProcess[] | null;
  /** Whether the link stays open when all has been told. */
  readonly keepsLinkOpen: boolean;
  /** The first frame of a connection made now. In the phase `abandoned` nothing but output follows. */
  start(): Start;
}
