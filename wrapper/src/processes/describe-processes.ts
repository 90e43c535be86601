/** What is left alone although it has to do with a run: who it is, and whose child, so that somebody can decide. */
import path from 'node:path';
import { MAX_RELATED_COMMAND_BYTES, MAX_RELATED_PROCESSES } from '#protocol/limits';
import type { RelatedProcess } from '#protocol/machine-facts';
import type { Killing } from '#protocol/wrapper-link';
import { cutCommandLine } from '../format/command-line.ts';
import { describeError, type Log } from '../logging/log.ts';
import type { RedactionRules } from '../redact/redactor.ts';
import { redactLine } from '../redact/redactor.ts';
import { commandLines } from './command-lines.ts';
import type { ProcessFamily, Relative } from './process-tree.ts';

/** It travels with each step of a kill, beside much else. */
const MAX_LIST_CHARS = 8 * 1024;
/** So much of each command line, or if they are too many and too long, less. */
const COMMAND_BYTES = [MAX_RELATED_COMMAND_BYTES, 64, 0];

/** What a kill leaves alone, as the control plane is told of it. Never throws. */
export function findRelated(family: Pick<ProcessFamily, 'related'>, rules: RedactionRules, log: Log): RelatedProcess[] {
  try {
    return describeRelated(family.related(), rules);
  } catch (error) {
    // Out of file descriptors, most likely.
    log.info(`cannot look for related processes: ${describeError(error)}`);
    return [];
  }
}

/** Processes that are left alone, as the control plane is told of them. */
export function describeRelated(related: readonly Relative[], rules: RedactionRules): RelatedProcess[] {
  const named = related.slice(0, MAX_RELATED_PROCESSES);
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
export function withRelated(step: Killing, related: readonly RelatedProcess[]): Killing {
  return related.length === 0 ? step : { ...step, related: [...related] };
}

/** `4711 tmux new (child of 1 systemd)`, for people at the machine. */
export function relatedText({ pid, command_line, parent }: RelatedProcess): string {
  const whose = parent === null ? '' : ` (child of ${`${parent.pid} ${programOf(parent.command_line)}`.trimEnd()})`;
  return `${pid} ${command_line}`.trimEnd() + whose;
}

/** The program's name alone: the rest of a command line may hold secrets. */
export function programOf(command: string): string {
  return path.basename(/^\S*/.exec(command)?.[0] ?? '');
}
