/** What a command leaves running after its end: who it is, so that somebody can decide whether that was meant. */
import { MAX_LEFT_COMMAND_BYTES, MAX_LEFT_PROCESSES } from '#protocol/limits';
import type { LeftProcess } from '#protocol/machine-facts';
import { cutCommandLine } from '../command/command-line.ts';
import { describeError, type Log } from '../log.ts';
import { commandLines } from '../processes/command-lines.ts';
import type { ProcessFamily } from '../processes/family.ts';
import type { RedactionRules } from '../redact/redactor.ts';
import { redactLine } from './recording.ts';

/** What is only a moment behind the command, as the other end of its last pipe, is not left running. */
const LOOK_AGAIN_MS = [20, 100];
/** The message that names them has to fit into one text frame, beside much else. */
const MAX_LIST_CHARS = 24 * 1024;
/** So much of each command line, or if they are too many and too long, less. */
const COMMAND_BYTES = [MAX_LEFT_COMMAND_BYTES, 256, 64, 0];

/**
 * What of the family still lives, now that its command has exited and nobody ends it. Takes no longer than one look where
 * nothing does. Never rejects.
 */
export async function findLeftRunning(
  family: Pick<ProcessFamily, 'remaining'>,
  rules: RedactionRules,
  log: Log,
): Promise<readonly LeftProcess[]> {
  try {
    let pids = family.remaining();
    for (const pauseMs of LOOK_AGAIN_MS) {
      if (pids.length === 0) return [];
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      pids = family.remaining();
    }
    return describeProcesses(pids, rules);
  } catch (error) {
    // Out of file descriptors, most likely.
    log.note(`cannot look for what the command has left running: ${describeError(error)}`);
    return [];
  }
}

/** Processes as the control plane is told of them. */
export function describeProcesses(pids: readonly number[], rules: RedactionRules): LeftProcess[] {
  const named = [...new Set(pids)].sort((a, b) => a - b).slice(0, MAX_LEFT_PROCESSES);
  const lines = commandLines(named);
  const redacted = named.map((pid) => ({ pid, command: redactLine(rules, lines.get(pid) ?? '') }));
  const cut = COMMAND_BYTES.map((maxBytes) =>
    redacted.map(({ pid, command }) => ({ pid, command: cutCommandLine(command, maxBytes) })),
  );
  return (
    cut.find((list) => JSON.stringify(list).length <= MAX_LIST_CHARS) ?? named.map((pid) => ({ pid, command: '' }))
  );
}
