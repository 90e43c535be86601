/** `leash logs`: prints the output of runs, and follows it. */
import { GAPS_HEADER, NEXT_OFFSET_HEADER, OFFSET_HEADER, Run } from '#protocol/api';
import { KIB } from '#protocol/limits';
import type { HttpResponse } from '../../http/request.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { findJobOrRun } from '../find-run.ts';
import { matchesAny } from '../list-runs.ts';
import type { OperatorContext } from '../operator-context.ts';
import { OperatorError } from '../operator-error.ts';
import type { Output } from '../output.ts';
import { ReaderPace } from '../reader-pace.ts';
import { followJob, MAX_FOLLOWED } from './follow-job.ts';
import { type FollowedRun, followRun, type Printing } from './follow-run.ts';
import { OutputPrinter } from './output-printer.ts';
import { gapText, isSafe, type PrintOptions } from './print-options.ts';
import { lastLinesStart } from './tail.ts';

export interface LogsArguments extends PrintOptions {
  readonly word: string;
  readonly job: string | null;
  readonly machines: readonly string[];
  /** How many lines; null for all. */
  readonly tail: number | null;
  /** Of a job: the runs that ran within this time; null: only the newest one, or those that run. */
  readonly sinceMs: number | null;
  readonly follows: boolean;
}

export async function logsCommand(args: LogsArguments, context: OperatorContext): Promise<ExitCode> {
  const { api, output } = context;
  const printing = { options: args, pace: new ReaderPace() };
  const found = await findJobOrRun(api, args.word, args.job);
  if (found.kind === 'run') {
    const run = found.run.value;
    if (args.follows) await followRun(await followed(run, args, '', context), printing, context);
    else await printOutput(run, args, printing.pace, context);
    return EXIT.done;
  }
  const listedAtMs = api.now();
  const job = found.job.value.name;
  const runs = await findRuns(job, args, context);
  if (args.follows) return followRuns({ job, runs, listedAtMs }, printing, args, context);
  if (runs.length === 0) {
    output.note('No run matches.');
    return EXIT.notFound;
  }
  for (const run of runs) {
    if (runs.length > 1) output.note(`Run ${run.id} of ${run.job} on ${run.machine}:`);
    await printOutput(run, args, printing.pace, context);
  }
  return EXIT.done;
}

interface JobRuns {
  readonly job: string;
  readonly runs: readonly Run[];
  readonly listedAtMs: number;
}

async function followRuns(
  { job, runs, listedAtMs }: JobRuns,
  printing: Printing,
  args: LogsArguments,
  context: OperatorContext,
): Promise<never> {
  if (runs.length > MAX_FOLLOWED)
    throw new OperatorError(`${runs.length} runs match; at most ${MAX_FOLLOWED} can be followed at once.`, EXIT.usage);
  const first = await Promise.all(runs.map((run) => followed(run, args, prefixOf(run), context)));
  const isWanted = ({ machine }: Run) => matchesAny(args.machines, machine);
  return followJob({ job, first, listedAtMs, isWanted, prefixOf }, printing, context);
}

/** Which of them a line is from. */
function prefixOf({ machine }: Run): string {
  return `${machine} | `;
}

/** Oldest first. */
async function findRuns(job: string, args: LogsArguments, { api, output }: OperatorContext): Promise<readonly Run[]> {
  const since = args.sinceMs === null ? null : new Date(api.now() - args.sinceMs).toISOString();
  const runs: Run[] = [];
  for await (const { value } of api.list(Run, 'runs', { path: '/runs', query: { job, since } })) {
    if (matchesAny(args.machines, value.machine)) runs.push(value);
    // Without a time the newest is wanted, or all that run: these are among the newest.
    if (since === null && runs.length >= MAX_FOLLOWED) break;
  }
  runs.reverse();
  if (since !== null) return runs;
  const open = runs.filter(({ final }) => !final);
  if (args.follows && open.length > 0) return open;
  const newest = runs.at(-1);
  if (newest === undefined) return [];
  const others = open.filter((run) => run !== newest).length;
  output.note(
    `Run ${newest.id} on ${newest.machine}, ${newest.state}${others === 0 ? '' : `; ${others} more ${others === 1 ? 'is' : 'are'} running: leash ps --job ${job}`}.`,
  );
  return [newest];
}

function pathOf({ id }: Run): string {
  return `/runs/${id}/output`;
}

async function printOutput(
  run: Run,
  args: LogsArguments,
  pace: ReaderPace,
  { api, output }: OperatorContext,
): Promise<void> {
  const write = (bytes: Uint8Array) => void process.stdout.write(bytes);
  const printer = new OutputPrinter({ write, isSafe: isSafe(args), prefix: '' });
  if (args.tail === null) {
    const response = await api.open({ path: pathOf(run), query: { job: run.job, stream: args.stream } });
    noteGaps(response, output);
    for await (const bytes of response.body) {
      printer.frame({ stream: 'stdout', bytes });
      await pace.caughtUp();
    }
  } else {
    printer.frame({ stream: 'stdout', bytes: (await readTail(run, args.tail, args, { api, output })).bytes });
  }
  printer.end();
}

function noteGaps({ headers }: HttpResponse, output: Output): void {
  const gaps = headers[GAPS_HEADER.toLowerCase()];
  if (typeof gaps !== 'string') return;
  for (const gap of gaps.split(', ')) output.note(gapText(gap.replace('-', ' to ')));
}

const FIRST_TAIL_BYTES = 64 * KIB;

/** The last lines, and the offset after them: reads from the end, more and more, until there are enough. */
async function readTail(
  run: Run,
  lines: number,
  { stream }: PrintOptions,
  { api, output }: Pick<OperatorContext, 'api' | 'output'>,
): Promise<{ readonly bytes: Uint8Array; readonly next: number }> {
  for (let tail = FIRST_TAIL_BYTES; ; tail *= 4) {
    const response = await api.open({ path: pathOf(run), query: { job: run.job, tail, stream } });
    const chunks: Uint8Array[] = [];
    for await (const chunk of response.body) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const start = lastLinesStart(bytes, lines);
    const isWhole = response.headers[OFFSET_HEADER.toLowerCase()] === '0';
    if (start === null && !isWhole) continue;
    noteGaps(response, output);
    return { bytes: bytes.subarray(start ?? 0), next: Number(response.headers[NEXT_OFFSET_HEADER.toLowerCase()] ?? 0) };
  }
}

async function followed(run: Run, args: LogsArguments, prefix: string, context: OperatorContext): Promise<FollowedRun> {
  const isQuiet = prefix !== '';
  if (args.tail === null) return { run, offset: 0, before: new Uint8Array(), prefix, isQuiet };
  const { bytes, next } = await readTail(run, args.tail, args, context);
  return { run, offset: next, before: bytes, prefix, isQuiet };
}
