/** Ctrl-C, and other requests to end. Unhandled they would leave a terminal without its cursor. */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interruption {
  /** Resolves when one arrives. */
  readonly promise: Promise<'interrupted'>;
  /** From here on they end this process again. */
  stop(): void;
}

export function untilInterrupted(): Interruption {
  let interrupt: () => void = () => {};
  const promise = new Promise<'interrupted'>((resolve) => {
    interrupt = () => resolve('interrupted');
  });
  for (const signal of SIGNALS) process.once(signal, interrupt);
  return {
    promise,
    stop: () => {
      for (const signal of SIGNALS) process.removeListener(signal, interrupt);
    },
  };
}
