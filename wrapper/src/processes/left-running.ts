/** What a command leaves running after its end: who it is, so that somebody can decide whether that was meant. */
import { MAX_LEFT_COMMAND_BYTES, MAX_LEFT_PROCESSES } from '#protocol/limits';
import type { LeftProcess, RelatedProcess } from '#protocol/machine-facts';
import { cutCommandLine } from '../format/command-line.ts';
import { describeError, type Log } from '../logging/log.ts';
import type { RedactionRules } from '../redact/redactor.ts';
import { redactLine } from '../redact/redactor.ts';
import { commandLines } from './command-lines.ts';
import { describeRelated } from './describe-processes.ts';
import type { ProcessFamily, Relative } from './process-tree.ts';

/** What is only a moment behind the command, as the other end of its last pipe, is not left running. */
const LOOK_AGAIN_MS = [20, 100];
/** The message that names them has to fit into one text frame, beside much else. */
const MAX_LIST_CHARS = 24 * 1024;
/** So much of each command line, or if they are too many and too long, less. */
const COMMAND_BYTES = [MAX_LEFT_COMMAND_BYTES, 256, 64, 0];

/**
 * What of the family still lives, now that its command has exited and nobody ends it, and what carries its mark. Takes no
 * longer than one look where nothing does. Never rejects.
 */
export async function findLeftRunning(
  family: Pick<ProcessFamily, 'remaining' | 'related'>,
  rules: RedactionRules,
  log: Log,
): Promise<readonly LeftProcess[]> {
  try {
    let pids = family.remaining();
    for (const pauseMs of LOOK_AGAIN_MS) {
      if (pids.length === 0) break;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      pids = family.remaining();
    }
    return describeProcesses(pids, family.related(), rules);
  } catch (error) {
    // Out of file descriptors, most likely.
    log.info(`cannot look for what the command has left running: ${describeError(error)}`);
    return [];
  }
}

/** Whether anything is left of it, or only what carries its mark. Throws when the process table can't be read. */
export function isAnythingLeft(family: Pick<ProcessFamily, 'remaining' | 'related'>): boolean {
  return family.remaining().length > 0 || family.related().length > 0;
}

/** What is left alone, as something that is left running. */
export function asLeft(related: readonly RelatedProcess[]): LeftProcess[] {
  return related.map(({ pid, command_line, ...relation }) => ({ pid, command_line, relation }));
}

/**
 * Processes as the control plane is told of them.
 *
 * @param pids those that a kill ends
 * @param related those that it leaves alone
 */
export function describeProcesses(
  pids: readonly number[],
  related: readonly Relative[],
  rules: RedactionRules,
): LeftProcess[] {
  const own = [...new Set(pids)].sort((a, b) => a - b);
  const alone = asLeft(describeRelated(related, rules));
  const named = own.slice(0, MAX_LEFT_PROCESSES - alone.length);
  const lines = commandLines(named);
  const redacted = named.map((pid) => ({ pid, command_line: redactLine(rules, lines.get(pid) ?? '') }));
  const cut = COMMAND_BYTES.map((maxBytes) =>
    redacted.map(({ pid, command_line }) => ({ pid, command_line: cutCommandLine(command_line, maxBytes) })),
  );
  const fitting = cut.find((list) => JSON.stringify(list).length <= MAX_LIST_CHARS);
  return [...(fitting ?? named.map((pid) => ({ pid, command_line: '' }))), ...alone];
}
