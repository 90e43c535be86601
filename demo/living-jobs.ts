/** Jobs that go on after the story, so that the page has something to watch and to kill. Cron starts each again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command, Stage } from './stage.ts';

const PAUSE_MS = 5_000;

const LIVING_JOBS: readonly Command[] = [
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
export function keepRunning(stage: Stage, stopped: AbortSignal): void {
  for (const job of LIVING_JOBS) void repeat(job, stage, stopped);
}

async function repeat(job: Command, stage: Stage, stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    await stage.run(job).exit;
    // The abort ends the pause; there is nothing else to do about it.
    await sleep(PAUSE_MS, undefined, { signal: stopped }).catch(() => undefined);
  }
}
