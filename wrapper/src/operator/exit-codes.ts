/** What the subcommands for operators exit with; docs/cli.md lists them. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  /** What was waited for did not happen in time. */
  timedOut: 5,
  /** The control plane could not be reached, or is unavailable. */
  outOfReach: 6,
  /** Ctrl-C, as a shell reports it. What was requested before continues. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
