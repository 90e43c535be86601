/** What the link needs of the run that it reports, which a wrapper or a spool holds. */
import type { LeftProcess } from '#protocol/machine-facts';
import type { Complete, Killing, Start } from '#protocol/wrapper-link';
import type { OutputPart } from '../buffer/output-buffer.ts';

/** A run's unacked output. */
export interface OutputSource {
  /** Everything before this offset is stored elsewhere and no longer held. */
  readonly start: number;
  /** The offset of the next byte. */
  readonly end: number;
  /** Frees everything before `offset`, which may lie beyond the end: it comes from the peer. */
  free(offset: number): void;
  /**
   * The output from `offset` on: at most `maxBytes` of one stream, or a whole gap.
   *
   * `later`: it must be fetched first. When it is there the source says so, never during this call, and `read` is called
   * again. The source may say so too often, but must do so after its last `later`. There is one reader, which may read
   * elsewhere meanwhile.
   *
   * @returns null when `offset` is the end
   */
  read(offset: number, maxBytes: number): OutputPart | { readonly kind: 'later' } | null;
}

export interface ReportableRun {
  readonly output: OutputSource;
  /** Null until the run has ended, and permanently in a run that was abandoned. */
  readonly completion: Complete | null;
  /** Steps of the run's own kill that the control plane may not have received. */
  readonly unreportedSteps: readonly Killing[];
  /** The control plane has received these. */
  stepsReported(steps: readonly Killing[]): void;
  /** What the run's end has left running by now; null: as the completion says. A new list each time it changes. */
  readonly left: readonly LeftProcess[] | null;
  /** Whether the link stays open when everything has been reported. */
  readonly keepsLinkOpen: boolean;
  /** The first frame of a new connection. In the phase `abandoned` only output follows. */
  start(): Start;
}
