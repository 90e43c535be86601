/** How output is printed. */
import type { StreamName } from '#protocol/output-frame';

export interface PrintOptions {
  /** Only this stream; null for both. */
  readonly stream: StreamName | null;
  /** Whether control sequences are sent to a terminal. */
  readonly isRaw: boolean;
  readonly asJson: boolean;
}

/** A program gets the exact bytes; so does a terminal that asks for them. */
export function isSafe({ isRaw }: PrintOptions): boolean {
  return process.stdout.isTTY === true && !isRaw;
}

export function gapText(range: string): string {
  return `Output is missing here: bytes ${range}.`;
}
