/** `leash flush`. */
import { EXIT_ERRORED } from '#protocol/run-state';
import { type ControlPlane, configure } from '../../config/control-plane.ts';
import { type FlushResult, flushOnce, keepFlushing } from '../../flush/flusher.ts';
import { type ForeignRuns, findUnsentRuns, type UnreadableRun } from '../../flush/unsent-runs.ts';
import { commandLine } from '../../format/command-line.ts';
import { rescueOrphans } from '../../guardian/rescue.ts';
import { openStateOrFallback, type State } from '../../state/state-directory.ts';
import type { FlushOptions } from '../args.ts';
import { runSubcommand, type SubcommandContext } from './subcommand.ts';

const EXIT_LEFT = 1;

/** @returns the exit code to leave with */
export function flushCommand(args: FlushOptions): Promise<number> {
  return runSubcommand({ name: 'flush', logFile: args.logFile, verbose: args.verbose }, (operation) =>
    flush(args, operation),
  );
}

async function flush(args: FlushOptions, { settings, log, print }: SubcommandContext): Promise<number> {
  const configuration = configure(args, settings);
  if (configuration.kind === 'unsupervised') {
    log.warn(configuration.why);
    return EXIT_ERRORED;
  }
  const state = await openStateOrFallback(settings);
  if (state.kind === 'unusable') {
    log.warn(`cannot use the state directory: ${state.why}`);
    return EXIT_ERRORED;
  }
  const { controlPlane } = configuration;
  const rescued = await rescueOrphans(state, { environment: process.env, controlPlane }, log);
  const flushed =
    args.forMs === null
      ? await flushOnce(state, controlPlane, log)
      : await keepFlushing(state, controlPlane, args.forMs, log);
  const { waiting, ...others } = await findUnsentRuns(state, controlPlane);
  const isTried = new Set(flushed?.left.map(({ run }) => run));
  // Another flusher sends the rest.
  const untried = flushed === null ? [] : waiting.filter((run) => !isTried.has(run));
  const lines = flushed === null ? ['another `leash flush` is running'] : describeFlushed(flushed, untried, state);
  const trouble = [
    ...others.foreign.map((each) => describeForeign(each, controlPlane)),
    ...others.unreadable.map(describeUnreadable),
  ];
  if (rescued.length > 0) lines.push(`${rescued.length} taken over by a new wrapper: their processes keep running`);
  if (others.beingSent > 0 && flushed !== null) lines.push(`${others.beingSent} being sent in the background`);
  lines.push(...trouble);
  for (const line of lines.length === 0 ? ['nothing is left to send'] : lines) print(line);
  const lost = (flushed?.rejected.length ?? 0) + (flushed?.givenUp.length ?? 0);
  return trouble.length + untried.length + isTried.size + lost === 0 ? 0 : EXIT_LEFT;
}

/** @param untried ids of runs that are left for no known reason */
function describeFlushed(
  { sent, rejected, givenUp, left }: FlushResult,
  untried: readonly string[],
  { directory }: State,
): string[] {
  return [
    ...(left.length > 0 || sent > 0 ? [`${sent} sent, ${left.length} left`] : []),
    ...left.map(({ run, why }) => `  ${run}: ${why}`),
    ...rejected.map(({ run, why }) => `${run}: gave up because the control plane will never accept it: ${why}`),
    ...givenUp.map(({ run, what }) => `${run}: gave up ${what}`),
    ...(untried.length > 0
      ? [`${untried.length} not tried: they have only just ended, or ${directory} is not writable`]
      : []),
  ];
}

/** With its own token: another control plane must not see ours. */
function describeForeign({ count, url, tokenFile }: ForeignRuns, { token }: ControlPlane): string {
  const isOurs = token.kind === 'file' && token.path === tokenFile;
  const flags = tokenFile === null || isOurs ? [] : ['--token-file', tokenFile];
  const command = commandLine(['leash', 'flush', '--url', url, ...flags]);
  return `${count} left for ${url}: ${tokenFile === null ? 'with its token in LEASH_TOKEN, ' : ''}${command}`;
}

function describeUnreadable({ run, path, kind }: UnreadableRun): string {
  switch (kind) {
    case 'newer':
      return `${run}: written by a newer version of leash, which can send it`;
    case 'older':
      return `${run}: written by an older version of leash in another format; send it with that version, or delete ${path}`;
    case 'unreadable':
      return `${run}: can't be sent because its run.json is damaged; save what you need from ${path}, then delete it`;
  }
}
