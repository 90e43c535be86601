/** What processes were started with, for people to recognise them by. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { commandLine } from '../format/command-line.ts';

/** Far more than is shown of one. */
const MAX_READ_BYTES = 8 * 1024;
const TIME_LIMIT_MS = 2_000;

/** The command lines of processes, by pid, with their secrets. One that can't be read is missing. Never throws. */
export function commandLines(pids: readonly number[]): ReadonlyMap<number, string> {
  if (pids.length === 0) return new Map();
  const lines = process.platform === 'linux' ? pids.map((pid) => [pid, fromProc(pid)] as const) : fromPs(pids);
  return new Map(lines.filter((line): line is [number, string] => line[1] !== null));
}

function fromProc(pid: number): string | null {
  const buffer = Buffer.alloc(MAX_READ_BYTES);
  try {
    const file = fs.openSync(`/proc/${pid}/cmdline`, 'r');
    try {
      return wordsAsLine(buffer.subarray(0, fs.readSync(file, buffer, 0, buffer.length, 0)));
    } finally {
      fs.closeSync(file);
    }
  } catch {
    // It has just ended, or it is hidden from us.
    return null;
  }
}

/** Of words that end in NUL each. A word that was cut is left out: half of a secret is not recognised as one. */
export function wordsAsLine(bytes: Buffer): string | null {
  const isCut = bytes.length === MAX_READ_BYTES;
  const whole = isCut ? bytes.subarray(0, bytes.lastIndexOf(0) + 1) : bytes;
  const text = whole.toString().replace(/\0+$/, '');
  if (text === '') return null;
  // A title that a program has given itself is one word, and no shell will read it.
  return text.includes('\0') ? commandLine(text.split('\0')) : text;
}

function fromPs(pids: readonly number[]): (readonly [number, string | null])[] {
  try {
    return parseArgs(
      execFileSync('ps', ['-ww', '-p', pids.join(','), '-o', 'pid=,args='], {
        encoding: 'utf8',
        timeout: TIME_LIMIT_MS,
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    );
  } catch {
    // All of them have ended, or `ps` did not answer in time: they are named by their pids.
    return [];
  }
}

/** Reads lines of pid and arguments. */
export function parseArgs(text: string): [number, string][] {
  return text.split('\n').flatMap((line) => {
    const [, pid, args] = /^\s*(\d+)\s+(\S.*?)\s*$/.exec(line) ?? [];
    return pid === undefined || args === undefined ? [] : [[Number(pid), args] as [number, string]];
  });
}
