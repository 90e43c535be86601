/** What the subcommands share that set a brake or begin maintenance. */
import { MAX_BRAKE_MS, MAX_GLOBS } from '#protocol/limits';
import { Glob } from '#protocol/names';
import { duration, name, UsageError } from './flags.ts';

/** Spread into the flags of each. */
export const BRAKE_FLAGS = { for: { type: 'string' }, reason: { type: 'string' } } as const;

export function readEnd(text: string | undefined): number {
  const ms = duration('--for', text);
  if (ms === null) throw new UsageError('--for is required: when it ends by itself, e.g. --for 2h');
  if (ms < 1_000 || ms > MAX_BRAKE_MS) throw new UsageError(`--for ${text}: must be from 1s to 30d`);
  return ms;
}

/** Names or globs, each of which may hold several with commas. */
export function readGlobs(option: string, values: readonly string[]): string[] {
  const globs = values.flatMap((list) => list.split(',')).map((glob) => name(option, Glob, glob));
  if (globs.length > MAX_GLOBS) throw new UsageError(`${option}: at most ${MAX_GLOBS} of them`);
  return globs;
}
