import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryDirectory } from './temporary-directory.ts';

export interface Gate {
  /** A line for a shell, which waits there until the gate opens, without starting anything. */
  readonly wait: string;
  open(): void;
}

/** What a test's command waits for. A loop that sleeps for a moment each time costs more than what is tested. */
export function gate(): Gate {
  const fifo = path.join(temporaryDirectory(), 'gate');
  const { status } = spawnSync('mkfifo', [fifo]);
  if (status !== 0) throw new Error('mkfifo failed');
  return {
    wait: `read go < ${fifo}`,
    open: () => {
      // For both directions, or it would wait for one who reads.
      const descriptor = fs.openSync(fifo, 'r+');
      fs.writeSync(descriptor, '\n');
      onTestFinished(() => fs.closeSync(descriptor));
    },
  };
}
