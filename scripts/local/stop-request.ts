/** Someone wants this program to stop: Ctrl-C, an end of the service, or a closed terminal. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type StopSignal = (typeof SIGNALS)[number];

/** Resolves at the first request. From the call on, none of these signals ends the process by itself. */
export function onStopRequest(): Promise<StopSignal> {
  return new Promise((resolve) => {
    // npm and the terminal may both pass one on: repeats change nothing.
    for (const signal of SIGNALS) process.on(signal, () => resolve(signal));
  });
}
