/** What is left alone although it has to do with a run: who it is, and whose child, so that somebody can decide. */
import path from 'node:path';
import { MAX_MARKED_COMMAND_BYTES, MAX_MARKED_PROCESSES } from '#protocol/limits';
import type { MarkedProcess } from '#protocol/machine-facts';
import type { Killing } from '#protocol/wrapper-link';
import { cutCommandLine } from '../format/command-line.ts';
import { describeError, type Log } from '../logging/log.ts';
import type { RedactionRules } from '../redact/redactor.ts';
import { redactLine } from '../redact/redactor.ts';
import { commandLines } from './command-lines.ts';
import type { Marked, ProcessFamily } from './process-tree.ts';

/** It travels with each step of a kill, beside much else. */
const MAX_LIST_CHARS = 8 * 1024;
/** So much of each command line, or if they are too many and too long, less. */
const COMMAND_BYTES = [MAX_MARKED_COMMAND_BYTES, 64, 0];

/** What a kill leaves alone, as the control plane is told of it. Never throws. */
export function findMarked(family: Pick<ProcessFamily, 'marked'>, rules: RedactionRules, log: Log): MarkedProcess[] {
  try {
    return describeMarked(family.marked(), rules);
  } catch (error) {
    // Out of file descriptors, most likely.
    log.info(`cannot look for what carries the run's mark: ${describeError(error)}`);
    return [];
  }
}

/** Processes that are left alone, as the control plane is told of them. */
export function describeMarked(marked: readonly Marked[], rules: RedactionRules): MarkedProcess[] {
  const named = marked.slice(0, MAX_MARKED_PROCESSES);
  const lines = commandLines([...new Set(named.flatMap(({ pid, ppid }) => (ppid > 0 ? [pid, ppid] : [pid])))]);
  const process = (pid: number, maxBytes: number) => ({
    pid,
    command_line: cutCommandLine(redactLine(rules, lines.get(pid) ?? ''), maxBytes),
  });
  const described = COMMAND_BYTES.map((maxBytes) =>
    named.map(({ pid, ppid, isKept }) => ({
      ...process(pid, maxBytes),
      parent: ppid > 0 ? process(ppid, maxBytes) : null,
      kept: isKept,
    })),
  );
  return described.find((list) => JSON.stringify(list).length <= MAX_LIST_CHARS) ?? described.at(-1) ?? [];
}

/** A step of ending the run, with what it leaves alone. */
export function withMarked(step: Killing, marked: readonly MarkedProcess[]): Killing {
  return marked.length === 0 ? step : { ...step, marked: [...marked] };
}

/** `4711 tmux new (child of 1 systemd)`, for people at the machine. */
export function markedText({ pid, command_line, parent }: MarkedProcess): string {
  const whose = parent === null ? '' : ` (child of ${`${parent.pid} ${programOf(parent.command_line)}`.trimEnd()})`;
  return `${pid} ${command_line}`.trimEnd() + whose;
}

/** The program's name alone: the rest of a command line may hold secrets. */
export function programOf(command: string): string {
  return path.basename(/^\S*/.exec(command)?.[0] ?? '');
}
