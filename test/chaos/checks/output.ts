/** Every byte once and in order in its stream, or a gap that says how many are missing. */
import { KIB } from '#protocol/limits';
import type { ReportedRun } from '../reported-run.ts';
import type { RoundLog } from '../round-log.ts';
import type { ChaosRun } from '../run.ts';
import type { StreamName } from '../schedule.ts';
import { KEPT_OUTPUT_BYTES } from '../settings.ts';
import { type Notes, printedAfter } from '../workload.ts';

/**
 * What a wrapper reads at once (output-pipe.ts). One that gets SIGKILL between reading it and noting it in the run's journal
 * loses it, and no one can know (operations.md, known limits).
 */
const READ_BYTES = 64 * KIB;

const STREAMS: readonly StreamName[] = ['stdout', 'stderr'];

export function checkOutput({ run, output }: ReportedRun, log: RoundLog): void {
  const { workload } = run.plan;
  const [least, most] = stepsPrinted(run.notes, workload.steps.length);
  const inHand = run.wrapperWasKilled ? READ_BYTES : 0;
  const stored = STREAMS.map((stream) => {
    const { pieces } = output;
    const printed = printedAfter(workload, stream, most);
    const bytes = pieces[stream].reduce((sum, piece) => sum + piece.length, 0);
    if (!isInOrder(printed, pieces[stream], inHand))
      log.fail(`${run.name}: its ${stream} is not what was printed: ${describeDifference(printed, pieces[stream])}`);
    return { bytes, least: printedAfter(workload, stream, least).length, most: printed.length };
  });
  const total = (of: 'bytes' | 'least' | 'most') => stored.reduce((sum, each) => sum + each[of], 0);
  const known = total('bytes') + output.missingBytes;
  const untold = run.couldNotBeKept ? Number.POSITIVE_INFINITY : STREAMS.length * inHand;
  if (known + untold < total('least') || known > total('most')) {
    const printed = least === most ? String(total('least')) : `${total('least')} to ${total('most')}`;
    const what = `${total('bytes')} bytes are stored and ${output.missingBytes} reported as missing`;
    log.fail(`${run.name}: ${what}, and it printed ${printed} (${JSON.stringify(stored)})`);
  }
  if (output.missingBytes > 0 && !mayMiss(run, total('most')))
    log.fail(`${run.name}: ${output.missingBytes} bytes are reported as missing, and nothing was in their way`);
  if (output.end !== known) log.fail(`${run.name}: its log ends at ${output.end} instead of ${known}`);
}

/** Whether there is a reason to leave bytes out: a disk that takes nothing, or more than the control plane keeps. */
function mayMiss({ machine }: ChaosRun, printedBytes: number): boolean {
  // Every stretch counts for somewhat more than it holds.
  return machine.disk.hadTrouble || printedBytes > KEPT_OUTPUT_BYTES / 2;
}

/** How many steps it has printed at least and at most: it may have been ended while it printed one. */
function stepsPrinted({ exit, signal, stepsDone }: Notes, steps: number): [number, number] {
  const isWhole = exit !== null || signal !== null || stepsDone === steps;
  return isWhole ? [steps, steps] : [stepsDone, stepsDone + 1];
}

/**
 * Whether the first piece is the beginning of what was printed, and each of the others comes somewhere behind the one before.
 *
 * @param inHand how many bytes may be missing in one place without having been reported
 */
function isInOrder(printed: Buffer, pieces: readonly Buffer[], inHand: number): boolean {
  let from = 0;
  for (const [index, piece] of pieces.entries()) {
    const at = printed.indexOf(piece, from);
    if (at !== -1 && (index > 0 || at === 0)) {
      from = at + piece.length;
      continue;
    }
    const known = commonLength(piece, printed.subarray(from));
    const rest = piece.subarray(known);
    const hole = printed.indexOf(rest, from + known) - (from + known);
    if (hole < 0 || hole > inHand) return false;
    from += known + hole + rest.length;
  }
  return true;
}

function commonLength(a: Buffer, b: Buffer): number {
  const different = a.findIndex((byte, index) => byte !== b[index]);
  return different === -1 ? a.length : different;
}

function describeDifference(printed: Buffer, pieces: readonly Buffer[]): string {
  const all = Buffer.concat(pieces);
  const at = all.findIndex((byte, index) => byte !== printed[index]);
  const around = (bytes: Buffer) => JSON.stringify(bytes.subarray(Math.max(0, at - 20), at + 40).toString());
  return `${pieces.length} piece(s) of ${pieces.map(({ length }) => length)} bytes; at ${at} ${around(all)}, printed was ${around(printed)}`;
}
