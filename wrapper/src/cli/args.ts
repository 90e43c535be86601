/** What the command line asks for. */
import { parseArgs } from 'node:util';
import * as v from 'valibot';
import { DEFAULT_GRACE_MS, MAX_GRACE_MS } from '#protocol/limits';
import { InstanceName, JobName, MachineName } from '#protocol/names';
import { parseDuration } from '../clock/duration.ts';

export interface RunArgs {
  readonly job: string;
  readonly instance: string | null;
  readonly machine: string | null;
  /** Null: no limit. */
  readonly timeoutMs: number | null;
  readonly graceMs: number;
  readonly url: string | null;
  readonly tokenFile: string | null;
  readonly verbose: boolean;
  /** Program and arguments, at least the program. */
  readonly command: readonly [string, ...string[]];
}

export type Invocation =
  | { readonly kind: 'help'; readonly topic: 'leash' | 'run' }
  | { readonly kind: 'version' }
  | { readonly kind: 'run'; readonly args: RunArgs }
  | { readonly kind: 'usage_error'; readonly message: string };

/** Reads the arguments that follow `leash`. */
export function parseInvocation(argv: readonly string[]): Invocation {
  const [first, ...rest] = argv;
  switch (first) {
    case undefined:
    case '--help':
    case '-h':
    case 'help':
      return { kind: 'help', topic: rest[0] === 'run' ? 'run' : 'leash' };
    case '--version':
    case '-V':
      return { kind: 'version' };
    case 'run':
      return parseRun(rest);
    default:
      return { kind: 'usage_error', message: `there is no \`leash ${first}\`; see leash --help` };
  }
}

class UsageError extends Error {}

function parseRun(argv: readonly string[]): Invocation {
  try {
    const split = argv.indexOf('--');
    const options = readOptions(split === -1 ? argv : argv.slice(0, split));
    if (options.help) return { kind: 'help', topic: 'run' };
    return { kind: 'run', args: readRun(options, split === -1 ? [] : argv.slice(split + 1)) };
  } catch (error) {
    if (error instanceof UsageError) return { kind: 'usage_error', message: error.message };
    throw error;
  }
}

function readOptions(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      allowPositionals: false,
      options: {
        job: text,
        instance: text,
        machine: text,
        timeout: text,
        grace: text,
        url: text,
        'token-file': text,
        verbose: flag,
        help: { ...flag, short: 'h' },
      },
    }).values;
  } catch (error) {
    // parseArgs throws for what it can't read, with a message that says what.
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(/positional/.test(message) ? 'the command goes after --' : message);
  }
}

function readRun(options: ReturnType<typeof readOptions>, command: readonly string[]): RunArgs {
  const [program, ...rest] = command;
  if (options.job === undefined) throw new UsageError('--job is missing');
  if (program === undefined || program === '') throw new UsageError('the command is missing: leash run … -- COMMAND');
  const timeoutMs = duration('--timeout', options.timeout) ?? 0;
  const graceMs = duration('--grace', options.grace) ?? DEFAULT_GRACE_MS;
  if (graceMs > MAX_GRACE_MS) throw new UsageError('--grace is at most a day');
  return {
    job: name('--job', JobName, options.job),
    instance: options.instance === undefined ? null : name('--instance', InstanceName, options.instance),
    machine: options.machine === undefined ? null : name('--machine', MachineName, options.machine),
    timeoutMs: timeoutMs === 0 ? null : timeoutMs,
    graceMs,
    url: options.url ?? null,
    tokenFile: options['token-file'] ?? null,
    verbose: options.verbose ?? false,
    command: [program, ...rest],
  };
}

function duration(option: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = parseDuration(text);
  if (ms === null) throw new UsageError(`${option} ${text}: not a duration; write e.g. 90s, 5m, 2h or 500ms`);
  return ms;
}

function name(option: string, schema: v.GenericSchema<string, string>, text: string): string {
  const parsed = v.safeParse(schema, text);
  if (!parsed.success) throw new UsageError(`${option} ${text}: ${parsed.issues[0].message}`);
  return parsed.output;
}
