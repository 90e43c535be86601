/** V8 flags that are set at run time, not on Node's command line. */
import v8 from 'node:v8';

/** A version that no longer knows a flag would print a warning on our stderr. */
const NEWEST_TRIED_NODE = 24;

/** Keeps the memory for short-lived objects at its initial size: output would make it grow manyfold. */
export function keepMemorySmall(): void {
  setFlag('--semi-space-growth-factor=1');
}

/**
 * Matches regular expressions that are created from now on in linear time when they backtrack excessively. Not possible for
 * those with lookaround, backreferences or large counts.
 */
export function boundBacktracking(): void {
  setFlag('--enable-experimental-regexp-engine-on-excessive-backtracks');
}

function setFlag(flag: string): void {
  if (Number.parseInt(process.versions.node, 10) <= NEWEST_TRIED_NODE) v8.setFlagsFromString(flag);
}
