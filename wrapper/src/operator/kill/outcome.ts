/** What has become of kills, in words and as an exit code. Pure. */
import type { Kill, Run, Target } from '#protocol/api';
import { formatDuration } from '#shared/format-duration';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { hasSurvivors } from '../kill-text.ts';
import { countText, runsText } from './preview.ts';
import { countOutcomes, outcomeOf, type TargetProgress } from './progress.ts';
import { survivorsText } from './progress-text.ts';

/** The lines after all kills are over, or the time to wait is. */
export function outcomeLines(targets: readonly TargetProgress[], elapsedMs: number): string[] {
  const counts = countOutcomes(targets);
  const parts = [
    counts.gone > 0 ? `${countText(counts.gone, 'run')} ended` : null,
    counts.refused > 0 ? `${counts.refused} had already ended` : null,
    counts.survived > 0 ? `${counts.survived} not ended` : null,
    counts.lost > 0 ? `${counts.lost} lost` : null,
    counts.open > 0 ? `${counts.open} still ending` : null,
  ].filter((part) => part !== null);
  return [
    ...(parts.length > 0 ? [`${parts.join(', ')} after ${formatDuration(elapsedMs)}.`] : []),
    ...targets.filter(hasSurvivors).map(survivorAdvice),
    ...targets.filter(({ state }) => state === 'lost').map(lostAdvice),
    ...targets.flatMap(relatedAdvice),
  ];
}

function survivorAdvice(target: TargetProgress): string {
  const { machine, survivors } = target;
  const look = survivors.length === 0 ? 'ps -ef' : `ps -o pid,stat,wchan:30,args -p ${survivors.join(',')}`;
  return `NOT ENDED on ${machine}: ${survivorsText(target)} SIGKILL. There, see: ${look}`;
}

function lostAdvice({ machine, job }: TargetProgress): string {
  return `Lost: ${machine} does not respond, so its run of ${job} may still be running. It gets the kill when it reconnects.`;
}

function relatedAdvice({ machine, related, related_count }: TargetProgress): string[] {
  if (related_count === 0) return [];
  const named = related.map(({ pid, command_line }) => `${pid} ${command_line}`).join(', ');
  const what = named === '' ? countText(related_count, 'related process') : named;
  return [`Not killed on ${machine}, because only related to the run: ${what}. --include-related kills these as well.`];
}

/** What is still being waited for. */
export function waitedLines(targets: readonly TargetProgress[], kills: readonly Kill[]): string[] {
  const open = targets.filter((target) => outcomeOf(target) === 'open');
  const waiting = open.map(({ machine, state }) => `${machine} (${WAITS_FOR[state] ?? state})`);
  const [kill] = kills;
  return [
    ...(waiting.length > 0 ? [`Not over: ${waiting.join(', ')}.`] : []),
    `The kill stands, and is carried out without this terminal.${kill === undefined ? '' : ` leash kills shows how far it has come: ${nameOf(kills)}.`}`,
  ];
}

/** After Ctrl-C. */
export function interruptedLines(targets: readonly TargetProgress[], kills: readonly Kill[]): string[] {
  if (kills.length > 0) return waitedLines(targets, kills);
  return [
    'Interrupted before the control plane had answered: the kill may be stored, and is then carried out. leash kills lists it.',
  ];
}

const WAITS_FOR: Partial<Record<Target['state'], string>> = {
  pending: 'disconnected',
  sent: 'no answer yet',
  term: 'in its grace period',
  kill: 'SIGKILL sent',
};

/** `kill 01K…`, `batch 01K…`. */
export function nameOf(kills: readonly Kill[]): string {
  const [first] = kills;
  if (first === undefined) return 'no kill';
  return kills.length === 1 || first.batch === null ? `kill ${first.id}` : `batch ${first.batch}`;
}

/** Runs that match and were not killed, because they are newer than the list of what is. */
export function startedLines(runs: readonly Run[]): string[] {
  if (runs.length === 0) return [];
  const machines = [...new Set(runs.map(({ machine }) => machine))];
  const named = machines.slice(0, MAX_MACHINES).join(', ');
  const more = machines.length > MAX_MACHINES ? ` and ${machines.length - MAX_MACHINES} more machines` : '';
  return [`Started meanwhile, and not killed: ${runsText(runs)} on ${named}${more}.`];
}

const MAX_MACHINES = 5;

/** Of kills that are over. */
export function outcomeExitCode(targets: readonly Target[]): ExitCode {
  const { survived, lost } = countOutcomes(targets);
  if (survived + lost > 0) return EXIT.failed;
  return targets.length === 0 ? EXIT.notFound : EXIT.done;
}
