/** `leash flush`. */
import { EXIT_ERRORED } from '#protocol/run-state';
import { type ControlPlane, configure } from '../../config/control-plane.ts';
import { type FlushResult, flushOnce, keepFlushing } from '../../flush/flusher.ts';
import { type ForeignRuns, findUnsentRuns, type UnreadableRun } from '../../flush/unsent-runs.ts';
import { commandLine } from '../../format/command-line.ts';
import { rescueOrphans } from '../../guardian/rescue.ts';
import { openStateOrFallback, type State } from '../../state/state-directory.ts';
import { duration, readFlags } from '../flags.ts';
import { type LocalContext, runLocally } from '../local-operation.ts';
import { defineSubcommand } from '../subcommand.ts';

const EXIT_LEFT = 1;

const HELP = `leash flush: send what earlier runs on this machine could not send.

Usage:
  leash flush [options]

A run that ends while the control plane is unreachable leaves its end and its output in the state
directory, and so does a run whose wrapper was killed. A background process tries to send them for a
day; the next \`leash run\` starts it again. \`leash flush\` sends them now and prints the result.

Options:
  --for DURATION         keep trying, for DURATION per run; default: try each run once
  --url URL, --token-file FILE
                         the control plane and the token, as for \`leash run\`
  --log FILE             append what happens to FILE
  -v, --verbose          print it on stderr
  -h, --help             print this text

Exit code:
  0    nothing is left to send, or another \`leash flush\` is running
  1    something is left, also for another control plane, or was given up; it says what and why
  255  an argument is invalid, or leash failed
`;

interface FlushOptions {
  /** How long to keep trying; null tries each run once. */
  readonly forMs: number | null;
  readonly url: string | null;
  readonly tokenFile: string | null;
  readonly logFile: string | null;
  readonly verbose: boolean;
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

function parseFlush(argv: readonly string[]): FlushOptions | null {
  const flags = readFlags(
    argv,
    {
      for: text,
      url: text,
      'token-file': text,
      log: text,
      verbose: { ...flag, short: 'v' },
      help: { ...flag, short: 'h' },
    },
    'leash flush takes no arguments: it sends every unsent run',
  );
  if (flags.help) return null;
  return {
    forMs: duration('--for', flags.for),
    url: flags.url ?? null,
    tokenFile: flags['token-file'] ?? null,
    logFile: flags.log ?? null,
    verbose: flags.verbose ?? false,
  };
}

export const subcommand = defineSubcommand({
  help: HELP,
  parse: parseFlush,
  run: (options) =>
    runLocally({ name: 'flush', logFile: options.logFile, verbose: options.verbose }, (operation) =>
      flush(options, operation),
    ),
});

async function flush(args: FlushOptions, { settings, log, print }: LocalContext): Promise<number> {
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
