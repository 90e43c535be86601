/** What a process has used, by /proc. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Memory {
  readonly residentMib: number;
  /** What it has for itself, and its share of what it shares with others. */
  readonly proportionalMib: number;
  readonly peakMib: number;
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return {
    residentMib: field(status, 'VmRSS') / 1024,
    peakMib: field(status, 'VmHWM') / 1024,
    proportionalMib: field(rollup, 'Pss') / 1024,
  };
}

/** The time that all its threads were on a processor. Exact to a nanosecond, where /proc/PID/stat counts hundredths. */
export function cpuMsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    const [onCpuNs = 0] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ').map(Number);
    return sum + onCpuNs / 1e6;
  }, 0);
}

function field(text: string, name: string): number {
  const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
  if (kibibytes === undefined) throw new Error(`/proc has no ${name}`);
  return Number(kibibytes);
}
