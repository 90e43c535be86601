/** What a process has used, by /proc. */
import { readdirSync, readFileSync } from 'node:fs';
import { LEASH_PROGRAM } from '../../scripts/local/paths.ts';

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

const LOOK_EVERY_MS = 25;

/** The most memory that a wrapper ever held, which is a given process or a child of it: its launcher's shell becomes it. */
export class PeakMemory {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #peakMib = Number.NaN;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** @returns the last that was seen, in MiB */
  stop(): number {
    clearInterval(this.#timer);
    return this.#peakMib;
  }

  #look(): void {
    try {
      const children = readFileSync(`/proc/${this.#pid}/task/${this.#pid}/children`, 'utf8').trim().split(' ');
      const wrapper = [String(this.#pid), ...children].find((pid) => pid !== '' && isWrapper(pid));
      if (wrapper !== undefined) this.#peakMib = field(readFileSync(`/proc/${wrapper}/status`, 'utf8'), 'VmHWM') / 1024;
    } catch {
      // It has ended, or is about to: then it has no memory any more.
    }
  }
}

function isWrapper(pid: string): boolean {
  const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  return commandLine.includes(`${LEASH_PROGRAM}\0run`) && !commandLine.startsWith('sh\0');
}
