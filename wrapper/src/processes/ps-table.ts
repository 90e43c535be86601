/** The process table as `ps` tells it, for macOS and other systems without a /proc like that of Linux. */
import { execFileSync } from 'node:child_process';
import type { ProcessEntry, ProcessTable } from './process-table.ts';

export const psTable: ProcessTable = {
  list: () => parsePs(ps(['-ax'])),
  entry: (pid) => {
    try {
      return parsePs(ps(['-p', String(pid)]))[0] ?? null;
    } catch (error) {
      // `ps` exits with 1 when there is no such process; anything else means that it could not look.
      if (error instanceof Error && 'status' in error && error.status === 1) return null;
      throw error;
    }
  },
  pids: () => null,
  inode: () => null,
  children: () => null,
  adopted: () => null,
  hasVariable: () => false,
  printsInto: () => false,
  mayHold: () => true,
  nameOfPipe: () => null,
  newestPid: () => null,
  noTurnMs: 0,
};

const TIME_LIMIT_MS = 2_000;

function ps(which: readonly string[]): string {
  return execFileSync('ps', [...which, '-o', 'pid=,ppid=,pgid=,stat=,lstart='], {
    encoding: 'utf8',
    timeout: TIME_LIMIT_MS,
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'ignore'],
    // Start times are written in the caller's language and time zone: cron's must equal an operator's.
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
  });
}

/** Reads lines of pid, ppid, pgid, state and start time. */
export function parsePs(table: string): ProcessEntry[] {
  return table.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S.*?)\s*$/.exec(line);
    if (match === null) return [];
    const [, pid, ppid, pgid, state = '', lstart = ''] = match;
    return [
      {
        pid: Number(pid),
        ppid: Number(ppid),
        pgid: Number(pgid),
        sid: 0,
        startTime: lstart.replace(/\s+/g, ' '),
        isAlive: !/^[ZXx]/.test(state),
        isKernel: false,
      },
    ];
  });
}
