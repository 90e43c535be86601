/** `leash kill`: shows what will be hit, asks, kills, and waits until the machines report what has become of it. */
import type { Run } from '#protocol/api';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { refOf } from '../find-run.ts';
import type { OperatorContext } from '../operator-context.ts';
import { ApiError, OperatorError } from '../operator-error.ts';
import { canAsk, confirm } from '../prompt.ts';
import { liveColumns } from '../run-table.ts';
import { type Column, tableLines } from '../table.ts';
import { openTerminal, type Terminal } from '../terminal.ts';
import { carryOutKills, type FollowOptions, type KillsToSend } from './carry-out.ts';
import { adding, type FoundRuns, findRuns, startedSince } from './find-runs.ts';
import type { KillFollower } from './kill-follower.ts';
import { startedLines } from './outcome.ts';
import { lateText, mannerText, previewNotes, runsText } from './preview.ts';
import { requestKills } from './request-kill.ts';
import {
  callsForRuns,
  callsForSelector,
  jobsOfCalls,
  type KillCall,
  type KillOptions,
  type Selection,
  type Selector,
} from './selection.ts';

export interface KillArguments extends FollowOptions {
  readonly selector: Selector;
  /** Whether to kill also what matches and isn't listed. */
  readonly includeLate: boolean;
  readonly isDryRun: boolean;
}

/** What is to be sent, and which runs it will hit as far as is known. */
interface Plan {
  readonly calls: readonly KillCall[];
  readonly runs: readonly Run[];
}

export async function killCommand(args: KillArguments, context: OperatorContext): Promise<ExitCode> {
  const { api, output } = context;
  requireConfirmation(args);
  const found = await findRuns(api, args.selector).catch(adding('Nothing was killed.'));
  const planned =
    found.kind === 'listed' ? planListed(found.selection, args, context) : planUnlisted(found, args, context);
  if (typeof planned === 'number') return planned;
  if (args.isDryRun) return showPlan(planned, args, context);
  if (!args.isConfirmed) {
    const answer = await confirm(questionOf(planned.runs));
    if (answer !== 'yes') {
      output.note('Nothing was killed.');
      return answer === 'interrupted' ? EXIT.interrupted : EXIT.failed;
    }
  }
  return carryOut(planned, args, context);
}

/** @throws {OperatorError} where nobody can be asked */
export function requireConfirmation({ isConfirmed, isDryRun }: Pick<KillArguments, 'isConfirmed' | 'isDryRun'>): void {
  if (isConfirmed || isDryRun || canAsk()) return;
  throw new OperatorError(
    'There is no terminal to ask on. Add --yes to go ahead without asking, or --dry-run to see what would be killed.',
    EXIT.usage,
  );
}

function questionOf({ length }: readonly Run[]): string {
  if (length === 0) return 'Kill them?';
  return length === 1 ? 'Kill this run?' : `Kill these ${length} runs?`;
}

/** @returns an exit code when there is nothing to kill */
function planListed(selection: Selection, args: KillArguments, context: OperatorContext): Plan | ExitCode {
  const { output } = context;
  const { runs, ended, unmatched, ambiguous } = selection;
  for (const { text, runs: several } of ambiguous) {
    throw new OperatorError(
      `${several.length} runs have an id that begins or ends with ${text}: ${several.map(({ id, job, machine }) => `${id} (${job} on ${machine})`).join(', ')}. Nothing was killed.`,
      EXIT.usage,
    );
  }
  for (const { text } of unmatched) output.note(`Nothing that runs matches ${text}.`);
  for (const run of ended)
    output.note(`Run ${run.id} of ${run.job} had already ended: ${run.state}, exit code ${run.exit_code}.`);
  const calls = args.includeLate
    ? (callsForSelector(args.selector, [...runs, ...ended], args.options) ?? [])
    : callsForRuns(runs, args.options);
  if (calls.length === 0) {
    for (const line of previewNotes(selection, args.options)) output.note(line);
    if (ended.length > 0) return EXIT.done;
    output.note(
      'Nothing to kill. With --include-late a kill waits for runs that have started by now and connect within 10 minutes.',
    );
    return EXIT.notFound;
  }
  if (!args.isConfirmed && !args.isDryRun) showRuns(selection, args.options, context, lateLines(args));
  // Who isn't shown the list must know as well what it doesn't have, such as runs that are not included.
  else for (const line of previewNotes(selection, args.options)) output.note(line);
  return { calls, runs };
}

function lateLines({ includeLate, selector }: KillArguments): string[] {
  return includeLate ? [lateText(selectorText(selector))] : [];
}

/** The instance says little, and would take the room of the machine. */
function previewColumns(nowMs: number, terminal: Terminal): readonly Column<Run>[] {
  return liveColumns(nowMs, terminal).filter(({ header }) => header !== 'INSTANCE');
}

/** The list, on stderr, where the question is. @param more lines after it */
export function showRuns(
  selection: Selection,
  options: KillOptions,
  { api, env }: OperatorContext,
  more: readonly string[] = [],
): void {
  const { runs } = selection;
  const terminal = openTerminal(process.stderr, env);
  const lines = runs.length === 0 ? [] : tableLines(previewColumns(api.now(), terminal), runs, terminal);
  const manner = runs.length === 0 ? [] : [`${runsText(runs)}: ${mannerText(runs, options)}.`];
  process.stderr.write(
    [...lines, ...manner, ...previewNotes(selection, options), ...more].map((line) => `${line}\n`).join(''),
  );
}

/** Without a list a kill by name is all that there is: the control plane finds the runs. */
function planUnlisted(
  { why, exitCode }: Extract<FoundRuns, { kind: 'unlisted' }>,
  args: KillArguments,
  { output }: OperatorContext,
): Plan {
  const { words, machines, instance } = args.selector;
  const calls = callsForSelector(args.selector, null, args.options);
  if (args.isDryRun || calls === null) {
    const remedy = args.isDryRun
      ? ''
      : ` Nothing was killed. Name each run as JOB/RUN${machines.length === 0 && instance === null ? '' : ', without --machine and --instance'}, or name its job.`;
    throw new OperatorError(`The runs can't be listed: ${why}${remedy}`, exitCode);
  }
  output.note(`The runs can't be listed: ${why}`);
  for (const word of words) {
    if (word.kind === 'jobs' && word.idPart !== null)
      output.note(
        `${word.text} is taken for a job: runs can't be found by a part of their ids. Name a run as JOB/RUN.`,
      );
  }
  output.note(
    `This kills every run of ${selectorText(args.selector)}, also those that have started by now and connect within 10 minutes.`,
  );
  return { calls, runs: [] };
}

/** `backup, sync* on web-*`. */
function selectorText({ words, machines, instance }: Selector): string {
  const what = words.length === 0 ? 'any job' : words.map(({ text }) => text).join(', ');
  return `${what}${instance === null ? '' : `, instance ${instance},`}${machines.length === 0 ? '' : ` on ${machines.join(', ')}`}`;
}

function showPlan({ runs }: Plan, args: KillArguments, { api, output }: OperatorContext): ExitCode {
  if (args.asJson) {
    output.json({ runs });
    return EXIT.done;
  }
  if (runs.length > 0) output.table(liveColumns(api.now(), output.terminal), runs);
  const what =
    runs.length === 0
      ? 'Nothing that is listed would be killed'
      : `Would kill ${runsText(runs)}: ${mannerText(runs, args.options)}`;
  output.note(`${what}. Dry run: nothing was killed.`);
  if (args.includeLate) output.note(lateText(selectorText(args.selector)));
  return EXIT.done;
}

async function carryOut(plan: Plan, args: KillArguments, context: OperatorContext): Promise<ExitCode> {
  const kills: KillsToSend = {
    runs: plan.runs,
    heading: plan.runs.length === 0 ? 'Killing' : `Killing ${runsText(plan.runs)}`,
    jobs: jobsOfCalls(plan.calls),
    request: (follower) => request(plan.calls, follower, context),
    whenNothing: {
      line: 'No run matches at the moment. The kill applies to runs that connect within 10 minutes.',
      exitCode: EXIT.notFound,
    },
  };
  return carryOutKills(kills, args, context, (follower) => noteStarted(plan, follower, args, context));
}

async function request(
  calls: readonly KillCall[],
  follower: KillFollower,
  { api, output }: OperatorContext,
): Promise<void> {
  try {
    await requestKills(
      api,
      calls,
      (why) => output.note(`${why} Trying again: it stays one kill.`),
      (kills) => follower.add(kills),
    );
    follower.allStored();
  } catch (error) {
    // What a call before it has stored is not undone.
    if (!(error instanceof ApiError) || error.failure.kind !== 'no_response') throw error;
    const remedy = 'Whether it is stored is unknown: it may be carried out. Killing again does no harm.';
    throw new OperatorError(`${error.message} ${remedy}`, error.exitCode);
  }
}

/** A kill hits exactly what was listed: what has started since still runs. */
async function noteStarted(
  { runs }: Plan,
  { progress }: KillFollower,
  { selector }: KillArguments,
  { api, output }: OperatorContext,
): Promise<void> {
  const killed = new Set([...runs.map(refOf), ...progress.targets.map(({ job, run: id }) => refOf({ job, id }))]);
  const started = await startedSince(api, selector, (run) => killed.has(refOf(run)));
  for (const line of startedLines(started)) output.note(line);
}
