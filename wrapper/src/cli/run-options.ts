/** The command line of `leash run`. */
import { type About, MAX_TAGS, Note, Owner, Runbook, Tag } from '#protocol/about';
import type { Overlap } from '#protocol/admission';
import { DEFAULT_GRACE_MS, KIB, MAX_GRACE_MS } from '#protocol/limits';
import { InstanceName, JobName, MachineName } from '#protocol/names';
import { EXIT_SKIPPED } from '#protocol/run-state';
import type { AskOptions } from '../ask/ask-options.ts';
import { shown } from '../host/undecodable-bytes.ts';
import { compilePattern } from '../redact/patterns.ts';
import type { RedactionOption, RunOptions } from '../run/run-options.ts';
import { readExpected } from './expected-flags.ts';
import { duration, name, readFlags, signalName, size, UsageError } from './flags.ts';

const LEAST_SPOOL_LIMIT_BYTES = 64 * KIB;
const DEFAULT_ASK_TIMEOUT_MS = 3_000;

const text = { type: 'string' } as const;
const texts = { type: 'string', multiple: true } as const;
const flag = { type: 'boolean' } as const;

const FLAGS = {
  job: text,
  instance: text,
  machine: text,
  timeout: text,
  'idle-timeout': text,
  'max-offline': text,
  'max-memory': text,
  'max-cpu': text,
  splay: text,
  ask: flag,
  overlap: text,
  'overlap-scope': text,
  'ask-timeout': text,
  'if-unreachable': text,
  'wait-timeout': text,
  'skip-exit-code': text,
  every: text,
  schedule: text,
  tz: text,
  'late-after': text,
  'slow-after': text,
  signal: text,
  grace: text,
  'wrapper-death': text,
  'without-wrapper': text,
  leftovers: text,
  shell: flag,
  cron: flag,
  cwd: text,
  user: text,
  env: texts,
  merge: flag,
  quiet: { ...flag, short: 'q' },
  detach: flag,
  redact: texts,
  'no-redact': flag,
  'spool-limit': text,
  tag: texts,
  owner: text,
  runbook: text,
  note: text,
  url: text,
  'token-file': text,
  log: text,
  verbose: { ...flag, short: 'v' },
  help: { ...flag, short: 'h' },
} as const;

/**
 * Reads what follows `leash run`.
 *
 * @returns null when help is asked for
 * @throws {UsageError} for invalid arguments
 */
export function parseRunArgs(argv: readonly string[], env: NodeJS.ProcessEnv = {}): RunOptions | null {
  const split = argv.indexOf('--');
  const flags = readFlags(split === -1 ? argv : argv.slice(0, split), FLAGS, 'the command must come after --');
  if (flags.help) return null;
  const words = split === -1 ? [] : argv.slice(split + 1);
  if (flags.job === undefined) throw new UsageError('--job is required');
  return {
    job: name('--job', JobName, flags.job),
    instance: optional(flags.instance, (value) => name('--instance', InstanceName, value)),
    machine: optional(flags.machine, (value) => name('--machine', MachineName, value)),
    timeoutMs: limit('--timeout', flags.timeout),
    idleTimeoutMs: limit('--idle-timeout', flags['idle-timeout']),
    maxOfflineMs: limit('--max-offline', flags['max-offline']),
    maxMemoryBytes: size('--max-memory', flags['max-memory']) || null,
    maxCpuMs: limit('--max-cpu', flags['max-cpu']),
    splayMs: limit('--splay', flags.splay),
    ask: question(flags),
    expected: readExpected(flags, env),
    signal: signalName('--signal', flags.signal ?? 'SIGTERM'),
    graceMs: grace(flags.grace),
    wrapperDeath: oneOf('--wrapper-death', ['keep', 'kill'], flags['wrapper-death']),
    withoutWrapper: oneOf('--without-wrapper', ['run', 'refuse'], flags['without-wrapper']),
    leftovers: oneOf('--leftovers', ['tell', 'kill', 'ignore'], flags.leftovers),
    cwd: flags.cwd ?? null,
    user: flags.user ?? null,
    env: additions(flags.env),
    merge: flags.merge === true,
    quiet: flags.quiet === true,
    detach: flags.detach === true,
    redaction: redaction(flags['no-redact'] === true, flags.redact),
    spoolLimitBytes: spoolLimit(flags['spool-limit']),
    about: about(flags),
    url: flags.url ?? null,
    tokenFile: flags['token-file'] ?? null,
    logFile: flags.log ?? null,
    verbose: flags.verbose === true,
    ...command(words, flags.shell === true ? (flags.cron === true && env.SHELL) || '/bin/sh' : null),
  };
}

/** @param shell runs the one word that is the command; null: the words are a program and its arguments */
function command(words: readonly string[], shell: string | null): Pick<RunOptions, 'command' | 'shellLine'> {
  const [program, ...rest] = words;
  if (program === undefined || program === '') throw new UsageError('a command is required: leash run … -- COMMAND');
  if (shell === null) return { command: [program, ...rest], shellLine: null };
  if (rest.length > 0) throw new UsageError("with --shell the command line must be one argument: -- 'first | second'");
  return { command: [shell, '-c', program], shellLine: shown(program) };
}

function optional<Value>(text: string | undefined, read: (text: string) => Value): Value | null {
  return text === undefined ? null : read(text);
}

/** No flag and 0 both mean no limit. */
function limit(option: string, value: string | undefined): number | null {
  return duration(option, value) || null;
}

/** What matters to a run that asks only: given without a question, it would be a promise that nobody keeps. */
const ASK_ONLY = ['overlap-scope', 'ask-timeout', 'if-unreachable', 'wait-timeout', 'skip-exit-code'] as const;

/** @returns null for a run that starts without asking */
function question(flags: AskFlags): AskOptions | null {
  const overlap = oneOf<Overlap>('--overlap', ['allow', 'skip', 'wait', 'kill-old'], flags.overlap);
  if (flags.ask !== true && overlap === 'allow') {
    const alone = ASK_ONLY.find((name) => flags[name] !== undefined);
    if (alone !== undefined) throw new UsageError(`--${alone} requires --ask, or --overlap skip, wait or kill-old`);
    return null;
  }
  const waits = overlap === 'wait' || overlap === 'kill-old';
  if (flags['wait-timeout'] !== undefined && !waits) {
    throw new UsageError('--wait-timeout requires --overlap wait or kill-old');
  }
  const timeoutMs = duration('--ask-timeout', flags['ask-timeout']);
  return {
    overlap,
    scope: oneOf('--overlap-scope', ['job', 'machine'], flags['overlap-scope']),
    timeoutMs: timeoutMs === null ? DEFAULT_ASK_TIMEOUT_MS : timeoutMs || null,
    ifUnreachable: oneOf('--if-unreachable', ['run', 'skip'], flags['if-unreachable']),
    waitTimeoutMs: limit('--wait-timeout', flags['wait-timeout']),
    skipExitCode: exitCode('--skip-exit-code', flags['skip-exit-code'] ?? String(EXIT_SKIPPED)),
  };
}

type AskFlags = { readonly ask?: boolean; readonly overlap?: string } & {
  readonly [Name in (typeof ASK_ONLY)[number]]?: string;
};

function exitCode(option: string, value: string): number {
  if (!/^\d{1,3}$/.test(value) || Number(value) > 255) {
    throw new UsageError(`${option} ${value}: must be a number from 0 to 255`);
  }
  return Number(value);
}

function grace(value: string | undefined): number {
  const ms = duration('--grace', value) ?? DEFAULT_GRACE_MS;
  if (ms > MAX_GRACE_MS) throw new UsageError('--grace must be at most 1d');
  return ms;
}

/** The first word is the default. */
function oneOf<const Word extends string>(
  option: string,
  words: readonly [Word, ...Word[]],
  value: string | undefined,
): Word {
  const chosen = words.find((word) => word === (value ?? words[0]));
  if (chosen === undefined) throw new UsageError(`${option} ${value}: must be ${alternatives(words)}`);
  return chosen;
}

function alternatives(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function additions(pairs: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      // The value is not repeated: it may be a secret.
      if (at < 1) throw new UsageError('--env must be NAME=VALUE');
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function redaction(isOff: boolean, patterns: readonly string[] = []): RedactionOption {
  if (!isOff) return { kind: 'on', patterns: patterns.map(pattern) };
  if (patterns.length > 0) throw new UsageError('--redact and --no-redact are mutually exclusive');
  return { kind: 'off' };
}

function pattern(source: string): RegExp {
  const compiled = compilePattern(source);
  if (compiled.kind === 'invalid') throw new UsageError(`--redact: ${compiled.why}`);
  return compiled.pattern;
}

function about(flags: {
  readonly tag?: readonly string[] | undefined;
  readonly owner?: string | undefined;
  readonly runbook?: string | undefined;
  readonly note?: string | undefined;
}): About {
  const tags = [...new Set(flags.tag)].map((value) => name('--tag', Tag, value));
  if (tags.length > MAX_TAGS) throw new UsageError(`--tag may be given at most ${MAX_TAGS} times`);
  return {
    tags,
    owner: optional(flags.owner, (value) => name('--owner', Owner, value)),
    runbook: optional(flags.runbook, (value) => name('--runbook', Runbook, value)),
    note: optional(flags.note, (value) => name('--note', Note, value)),
  };
}

function spoolLimit(value: string | undefined): number | null {
  const bytes = size('--spool-limit', value);
  if (bytes !== null && bytes < LEAST_SPOOL_LIMIT_BYTES) throw new UsageError('--spool-limit must be at least 64K');
  return bytes;
}
