/** Jobs that keep running after the scenarios, so that there is something to watch and to kill, as if cron started them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command, DemoEnvironment } from './demo-environment.ts';

const PAUSE_MS = 5_000;

const RECURRING_JOBS: readonly Command[] = [
  {
    job: 'sync-mirror',
    machine: 'web-1.example.com',
    command: ['sh', '-c', 'n=0; while :; do n=$((n + 1)); echo "$(date +%T) mirrored file $n"; sleep 1; done'],
  },
  {
    job: 'stubborn',
    machine: 'db-2.example.com',
    command: [
      'sh',
      '-c',
      'trap "echo SIGTERM? I would rather not" TERM; n=0; while :; do n=$((n + 1)); echo "still here, $n"; sleep 2; done',
    ],
  },
];

/** Keeps them running until `stopped` is aborted. */
export function keepRunning(environment: DemoEnvironment, stopped: AbortSignal): void {
  for (const job of RECURRING_JOBS) void repeat(job, environment, stopped);
}

async function repeat(job: Command, environment: DemoEnvironment, stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    await environment.run(job).exit;
    // The abort ends the pause; there is nothing else to do about it.
    await sleep(PAUSE_MS, undefined, { signal: stopped }).catch(() => undefined);
  }
}
