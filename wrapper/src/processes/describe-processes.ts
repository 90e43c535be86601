/** Processes as they are reported: each with its command line, without secrets, and short enough for one message. */
import path from 'node:path';
import {
  MAX_LEFT_COMMAND_BYTES,
  MAX_LEFT_PROCESSES,
  MAX_RELATED_COMMAND_BYTES,
  MAX_RELATED_PROCESSES,
} from '#protocol/limits';
import type { LeftProcess, RelatedProcess } from '#protocol/machine-facts';
import type { Killing } from '#protocol/wrapper-link';
import { cutCommandLine } from '../format/command-line.ts';
import { describeError, type Log } from '../logging/log.ts';
import { type RedactionRules, redactLine } from '../redact/redactor.ts';
import { commandLines } from './command-lines.ts';
import type { ProcessTree, RelatedEntry } from './process-tree.ts';

/** How much room a list has in its message, and how long a command line may be: the first length that fits is taken. */
interface ListLimits {
  readonly maxChars: number;
  readonly commandBytes: readonly number[];
}
/** The list must fit into one text frame, together with other data. */
const LEFT_LIMITS: ListLimits = { maxChars: 24 * 1024, commandBytes: [MAX_LEFT_COMMAND_BYTES, 256, 64, 0] };
/** The list is sent together with that. */
const ENDED_LIMITS: ListLimits = { maxChars: 8 * 1024, commandBytes: [MAX_LEFT_COMMAND_BYTES, 256, 64, 0] };
/** The list is sent with each step of a kill, together with other data. */
const RELATED_LIMITS: ListLimits = { maxChars: 8 * 1024, commandBytes: [MAX_RELATED_COMMAND_BYTES, 64, 0] };

/**
 * What a run has left running, for the control plane.
 *
 * @param pids those that a kill ends
 * @param related those that a kill leaves alone
 */
export function describeProcesses(
  pids: readonly number[],
  related: readonly RelatedEntry[],
  rules: RedactionRules,
): LeftProcess[] {
  const alone = relatedAsLeft(describeRelated(related, rules));
  const named = [...new Set(pids)].sort((a, b) => a - b).slice(0, MAX_LEFT_PROCESSES - alone.length);
  const describe = describer(named, rules);
  return [...firstThatFits(LEFT_LIMITS, (maxBytes) => named.map((pid) => describe(pid, maxBytes))), ...alone];
}

/** What a run has left running, and is about to be ended, for the control plane. */
export function describeLeftovers(pids: readonly number[], rules: RedactionRules): LeftProcess[] {
  const named = [...pids].sort((a, b) => a - b).slice(0, MAX_LEFT_PROCESSES);
  const describe = describer(named, rules);
  return firstThatFits(ENDED_LIMITS, (maxBytes) => named.map((pid) => describe(pid, maxBytes)));
}

/** Processes that a kill leaves alone, for the control plane, each with its parent. */
export function describeRelated(related: readonly RelatedEntry[], rules: RedactionRules): RelatedProcess[] {
  const named = related.slice(0, MAX_RELATED_PROCESSES);
  const describe = describer(
    named.flatMap(({ pid, ppid }) => (ppid > 0 ? [pid, ppid] : [pid])),
    rules,
  );
  return firstThatFits(RELATED_LIMITS, (maxBytes) =>
    named.map(({ pid, ppid, isKept }) => ({
      ...describe(pid, maxBytes),
      parent: ppid > 0 ? describe(ppid, maxBytes) : null,
      kept: isKept,
    })),
  );
}

function describer(pids: readonly number[], rules: RedactionRules) {
  const lines = commandLines([...new Set(pids)]);
  const redacted = new Map([...lines].map(([pid, line]) => [pid, redactLine(rules, line)]));
  return (pid: number, maxBytes: number) => ({
    pid,
    command_line: cutCommandLine(redacted.get(pid) ?? '', maxBytes),
  });
}

function firstThatFits<Item>({ maxChars, commandBytes }: ListLimits, describe: (maxBytes: number) => Item[]): Item[] {
  let list: Item[] = [];
  for (const maxBytes of commandBytes) {
    list = describe(maxBytes);
    if (JSON.stringify(list).length <= maxChars) break;
  }
  return list;
}

/** Finds and describes what a kill leaves alone. Never throws. */
export function findRelated(tree: Pick<ProcessTree, 'related'>, rules: RedactionRules, log: Log): RelatedProcess[] {
  try {
    return describeRelated(tree.related(), rules);
  } catch (error) {
    // Out of file descriptors, most likely.
    log.info(`cannot look for related processes: ${describeError(error)}`);
    return [];
  }
}

export function relatedAsLeft(related: readonly RelatedProcess[]): LeftProcess[] {
  return related.map(({ pid, command_line, ...relation }) => ({ pid, command_line, relation }));
}

/** Adds to a step of a kill what it leaves alone. */
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
