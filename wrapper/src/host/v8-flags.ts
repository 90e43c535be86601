/** Settings of V8, the engine that runs us, that are elsewhere given on Node's command line. */
import v8 from 'node:v8';

/** A version that does not know a flag any more would say so on our stderr. */
const NEWEST_TRIED_NODE = 24;

/** Memory for what is short-lived stays as small as it is at the start: output that passes would let it grow manyfold. */
export function keepMemorySmall(): void {
  setFlag('--semi-space-growth-factor=1');
}

/**
 * A regular expression that is made from now on, and gets lost in backtracking, is matched in linear time instead. That
 * can't be done for some: with lookaround, backreferences or large counts.
 */
export function boundBacktracking(): void {
  setFlag('--enable-experimental-regexp-engine-on-excessive-backtracks');
}

function setFlag(flag: string): void {
  if (Number.parseInt(process.versions.node, 10) <= NEWEST_TRIED_NODE) v8.setFlagsFromString(flag);
}
