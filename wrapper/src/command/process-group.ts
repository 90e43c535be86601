/** A process group as the operating system sees it: who lives in it, and signals to all of it. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';

/** What ends or wakes a group of processes. */
export interface ProcessGroup {
  /** Pids of its living members. Zombies don't count: they are dead, whoever has yet to notice. */
  members(): number[];
  /** Whether its leader has exited, even if nobody has collected it yet. */
  leaderHasExited(): boolean;
  /** Sends a signal to every member; false when there was none that could be signalled. */
  signal(signal: NodeJS.Signals): boolean;
}

/** Of a command that was never started. */
export const noGroup: ProcessGroup = { members: () => [], leaderHasExited: () => true, signal: () => false };

/** The group that the process `pgid` leads. */
export function processGroup(pgid: number): ProcessGroup {
  return {
    members: () =>
      listProcesses(pgid)
        .filter(isAlive)
        .map((each) => each.pid),
    leaderHasExited: () => {
      const leader = listProcesses(pgid).find((each) => each.pid === pgid);
      return leader === undefined || !isAlive(leader);
    },
    signal: (signal) => {
      try {
        process.kill(-pgid, signal);
        return true;
      } catch {
        // ESRCH: nobody is left. EPERM: none of those left may be signalled; the sweep reports them.
        return false;
      }
    },
  };
}

export interface ProcessEntry {
  readonly pid: number;
  readonly pgid: number;
  /** The state as `ps` writes it; Z and X are dead. */
  readonly state: string;
}

function isAlive(entry: ProcessEntry): boolean {
  return !/^[ZXx]/.test(entry.state);
}

function listProcesses(pgid: number): ProcessEntry[] {
  return process.platform === 'linux' ? fromProc(pgid) : fromPs(pgid);
}

function fromProc(pgid: number): ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  for (const name of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    let stat: string;
    try {
      stat = fs.readFileSync(`/proc/${name}/stat`, 'latin1');
    } catch {
      // It ended while we looked.
      continue;
    }
    const entry = parseStat(stat);
    if (entry !== null && entry.pgid === pgid) entries.push(entry);
  }
  return entries;
}

/** Reads a line of `/proc/<pid>/stat`: `pid (name) state ppid pgrp …`, where the name may hold spaces and parentheses. */
export function parseStat(stat: string): ProcessEntry | null {
  const pid = Number.parseInt(stat, 10);
  const [state, , pgid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (!Number.isInteger(pid) || state === undefined || pgid === undefined) return null;
  return { pid, pgid: Number.parseInt(pgid, 10), state };
}

function fromPs(pgid: number): ProcessEntry[] {
  const table = execFileSync('ps', ['-axo', 'pid=,pgid=,stat='], { encoding: 'utf8', timeout: 2_000 });
  return table.split('\n').flatMap((line) => {
    const [pid, group, state] = line.trim().split(/\s+/);
    if (pid === undefined || group === undefined || state === undefined || Number(group) !== pgid) return [];
    return [{ pid: Number(pid), pgid, state }];
  });
}
