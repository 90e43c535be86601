/** `leash logs`: prints the output of runs, and follows it. */
import { GAPS_HEADER, NEXT_OFFSET_HEADER, OFFSET_HEADER, Run } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import { KIB } from '#protocol/limits';
import type { HttpResponse } from '../../http/request.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { findJobOrRun } from '../find-run.ts';
import type { OperatorContext } from '../operator-context.ts';
import { OperatorError } from '../operator-error.ts';
import type { Output } from '../output.ts';
import { type FollowedRun, followRun } from './follow-run.ts';
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

/** A run's output may be followed by at most so many sockets at once. */
const MAX_FOLLOWED = 50;

export async function logsCommand(args: LogsArguments, context: OperatorContext): Promise<ExitCode> {
  const { output } = context;
  const runs = await findRuns(args, context);
  if (runs.length === 0) {
    output.note('No run matches.');
    return EXIT.notFound;
  }
  if (args.follows) {
    if (runs.length > MAX_FOLLOWED)
      throw new OperatorError(
        `${runs.length} runs match; at most ${MAX_FOLLOWED} can be followed at once.`,
        EXIT.usage,
      );
    await Promise.all(
      runs.map(async (run) => followRun(await followed(run, args, runs.length > 1, context), args, context)),
    );
    return EXIT.done;
  }
  for (const run of runs) {
    if (runs.length > 1) output.note(`Run ${run.id} of ${run.job} on ${run.machine}:`);
    await printOutput(run, args, context);
  }
  return EXIT.done;
}

/** Oldest first. */
async function findRuns(args: LogsArguments, { api, output }: OperatorContext): Promise<readonly Run[]> {
  const found = await findJobOrRun(api, args.word, args.job);
  if (found.kind === 'run') return [found.run.value];
  const job = found.job.value.name;
  const since = args.sinceMs === null ? null : new Date(api.now() - args.sinceMs).toISOString();
  const runs: Run[] = [];
  for await (const { value } of api.list(Run, 'runs', { path: '/runs', query: { job, since } })) {
    if (isOnAny(args.machines, value)) runs.push(value);
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

function isOnAny(globs: readonly string[], { machine }: Run): boolean {
  return globs.length === 0 || globs.some((glob) => matchesGlob(glob, machine));
}

function pathOf({ id }: Run): string {
  return `/runs/${id}/output`;
}

async function printOutput(run: Run, args: LogsArguments, { api, output }: OperatorContext): Promise<void> {
  const write = (bytes: Uint8Array) => void process.stdout.write(bytes);
  const printer = new OutputPrinter({ write, isSafe: isSafe(args), prefix: '' });
  if (args.tail === null) {
    const response = await api.open({ path: pathOf(run), query: { job: run.job, stream: args.stream } });
    noteGaps(response, output);
    for await (const bytes of response.body) printer.frame({ stream: 'stdout', bytes });
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

async function followed(
  run: Run,
  args: LogsArguments,
  isMarked: boolean,
  context: OperatorContext,
): Promise<FollowedRun> {
  const prefix = isMarked ? `${run.machine} | ` : '';
  if (args.tail === null) return { run, offset: 0, before: new Uint8Array(), prefix };
  const { bytes, next } = await readTail(run, args.tail, args, context);
  return { run, offset: next, before: bytes, prefix };
}
