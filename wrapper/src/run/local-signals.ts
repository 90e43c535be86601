/** Signals to the wrapper itself, on its own machine. */

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
export type LocalSignal = (typeof SIGNALS)[number];

/**
 * Keeps the signals that would end the wrapper from doing so. Call before the command is started, or one that comes in
 * between leaves it unsupervised.
 */
export function catchLocalSignals(onSignal: (signal: LocalSignal) => void): void {
  for (const signal of SIGNALS) process.on(signal, () => onSignal(signal));
}
