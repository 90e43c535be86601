/** `leash brake`: shows what it will kill now, asks, sets the brake, and follows its kills. */
import type { Run } from '#protocol/api';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { carryOutKills, type FollowOptions } from '../kill/carry-out.ts';
import { adding, findRuns } from '../kill/find-runs.ts';
import { requireConfirmation, showRuns } from '../kill/kill-command.ts';
import type { KillFollower } from '../kill/kill-follower.ts';
import { mannerText, previewNotes, runsText } from '../kill/preview.ts';
import type { Word } from '../kill/words.ts';
import type { OperatorContext } from '../operator-context.ts';
import { confirm } from '../prompt.ts';
import { liveColumns } from '../run-table.ts';
import { brakeTitle } from './brake-text.ts';
import { type BrakeOrder, setBrake } from './set-brake.ts';

export interface BrakeArguments extends Omit<FollowOptions, 'options'> {
  readonly order: BrakeOrder;
  readonly isDryRun: boolean;
}

const NOTHING_DONE = 'No brake was set, and nothing was killed.';
/** A brake's kills are each run's own. */
const OPTIONS = {};

export async function brakeCommand(args: BrakeArguments, context: OperatorContext): Promise<ExitCode> {
  requireConfirmation(args);
  const runs = await preview(args, context);
  if (args.isDryRun) return showPlan(runs, args, context);
  if (!args.isConfirmed) {
    const answer = await confirm(runs.length === 0 ? 'Set it?' : `Set it, and kill ${runsText(runs)}?`);
    if (answer !== 'yes') {
      context.output.note(NOTHING_DONE);
      return answer === 'interrupted' ? EXIT.interrupted : EXIT.failed;
    }
  }
  return carryOut(runs, args, context);
}

/** What it will kill now, as far as that can be listed. */
async function preview(args: BrakeArguments, context: OperatorContext): Promise<readonly Run[]> {
  const { jobs, machines } = args.order;
  const words = jobs.map((glob): Word => ({ kind: 'jobs', text: glob, glob, idPart: null }));
  const found = await findRuns(context.api, { words, machines, instance: null }).catch(adding(NOTHING_DONE));
  const what = `${titleOf(args)}: it kills what matches now, and later what matches as soon as it connects.`;
  if (found.kind === 'unlisted') {
    context.output.note(`The runs can't be listed: ${found.why}`);
    context.output.note(what);
    return [];
  }
  if (args.isConfirmed || args.isDryRun)
    for (const line of previewNotes(found.selection, OPTIONS)) context.output.note(line);
  else showRuns(found.selection, OPTIONS, context, [what]);
  return found.selection.runs;
}

function titleOf({ order }: BrakeArguments): string {
  const all = (globs: readonly string[]) => (globs.length === 0 ? ['*'] : [...globs]);
  return brakeTitle({ jobs: all(order.jobs), machines: all(order.machines), kill: order.kill });
}

function showPlan(runs: readonly Run[], args: BrakeArguments, { api, output }: OperatorContext): ExitCode {
  if (args.asJson) {
    output.json({ runs });
    return EXIT.done;
  }
  if (runs.length > 0) output.table(liveColumns(api.now(), output.terminal), runs);
  const what =
    runs.length === 0 ? 'Would kill nothing now' : `Would kill ${runsText(runs)}: ${mannerText(runs, OPTIONS)}`;
  output.note(`${what}. Dry run: no brake was set, and nothing was killed.`);
  return EXIT.done;
}

function carryOut(runs: readonly Run[], args: BrakeArguments, context: OperatorContext): Promise<ExitCode> {
  let brake: unknown = null;
  const request = async (follower: KillFollower) => {
    const set = await setBrake(args.order, args.asJson, context);
    brake = set.raw;
    follower.add(set.kills);
    follower.allStored();
  };
  const whenNothing = { line: 'No run matches at the moment.', exitCode: EXIT.done };
  // Without runs to kill there is nothing to follow.
  const waitMs = runs.length === 0 && args.waitMs === 0 ? null : args.waitMs;
  const heading = runs.length === 0 ? null : `Killing ${runsText(runs)}`;
  const kills = {
    runs,
    jobs: new Set(runs.map(({ job }) => job)),
    request,
    whenNothing,
    heading,
    json: () => ({ brake }),
  };
  return carryOutKills(kills, { ...args, options: OPTIONS, waitMs }, context);
}
