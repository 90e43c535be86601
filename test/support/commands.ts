/** Commands for wrappers to run. */

/** Runs until it is ended, and prints once that it runs. */
export const FOREVER = ['sh', '-c', 'echo ready; while :; do sleep 1; done'] as const;

/** Ignores SIGTERM, as does its child: `trap ""` is inherited. */
export const STUBBORN = [
  'sh',
  '-c',
  'trap "" TERM; (while :; do sleep 1; done) & echo ready; while :; do sleep 1; done',
] as const;

/** Prints `line 1`, `line 2`, …, a line every `pauseSeconds`, and then runs silently. */
export function numberedLines(count: number, pauseSeconds: number): string[] {
  return [
    'sh',
    '-c',
    `i=0; while [ $i -lt ${count} ]; do i=$((i + 1)); echo "line $i"; sleep ${pauseSeconds}; done; while :; do sleep 1; done`,
  ];
}

/** `line 1` to `line count`, as {@link numberedLines} prints them. */
export function expectedLines(count: number): string {
  return Array.from({ length: count }, (_, index) => `line ${index + 1}\n`).join('');
}
