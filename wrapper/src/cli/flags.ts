/** Reads flags and their values. An invalid one throws a `UsageError` that says what is valid. */
import os from 'node:os';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import * as v from 'valibot';
import { MAX_REASON_CHARS } from '#protocol/limits';
import { parseDuration } from '#shared/parse-duration';
import { parseSize } from '../format/size.ts';

export class UsageError extends Error {}

type Flags = NonNullable<ParseArgsConfig['options']>;

/** @param onPositional the error for an unexpected positional argument */
export function readFlags<const Options extends Flags>(
  argv: readonly string[],
  options: Options,
  onPositional: string,
) {
  return parse({ args: [...argv], strict: true, allowPositionals: false, options }, onPositional).values;
}

/** The same, with positional arguments. */
export function readFlagsAndWords<const Options extends Flags>(argv: readonly string[], options: Options) {
  return parse({ args: [...argv], strict: true, allowPositionals: true, options }, '');
}

function parse<const Config extends ParseArgsConfig>(config: Config, onPositional: string) {
  try {
    return parseArgs(config);
  } catch (error) {
    // Of some messages of parseArgs only the first sentence helps.
    const message = error instanceof Error ? error.message : String(error);
    if (/positional/.test(message) && onPositional !== '') throw new UsageError(onPositional);
    throw new UsageError(aboutDash(message) ?? firstSentence(message));
  }
}

/** For a value that looks like a flag. */
function aboutDash(message: string): string | null {
  const option = /^Option '.*?(--[\w-]+)[^']*' argument is ambiguous/.exec(message)?.[1];
  return option === undefined ? null : `${option} requires a value; if it begins with a dash, write ${option}=-…`;
}

function firstSentence(message: string): string {
  return message.replace(/\. (To specify|Did you).*$/s, '');
}

/** Milliseconds; null when the flag is absent. */
export function duration(option: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = parseDuration(text);
  if (ms === null) throw new UsageError(`${option} ${text}: not a duration; use e.g. 90s, 5m, 2h or 500ms`);
  return ms;
}

/** Bytes; null when the flag is absent. */
export function size(option: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const bytes = parseSize(text);
  if (bytes === null) throw new UsageError(`${option} ${text}: not a size; use e.g. 64M, 512K or 1G`);
  return bytes;
}

/** A number that isn't negative; `otherwise` when the flag is absent. */
export function amount(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^\d+(\.\d+)?$/.test(text)) throw new UsageError(`${option} ${text}: not a number; use e.g. 10 or 0.5`);
  return Number(text);
}

/** Why a kill or brake is ordered. */
export function reason(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (text.length > MAX_REASON_CHARS) throw new UsageError(`--reason: at most ${MAX_REASON_CHARS} characters`);
  return text;
}

/** A signal by its name, with or without SIG. */
export function signalName(option: string, text: string): NodeJS.Signals {
  const upper = text.toUpperCase();
  const full = upper.startsWith('SIG') ? upper : `SIG${upper}`;
  const known = Object.keys(os.constants.signals).find((each): each is NodeJS.Signals => each === full);
  if (known === undefined) throw new UsageError(`${option} ${text}: unknown signal; use e.g. TERM, INT or HUP`);
  return known;
}

/** A name that is valid by its schema. */
export function name(option: string, schema: v.GenericSchema<string, string>, text: string): string {
  const parsed = v.safeParse(schema, text);
  if (!parsed.success) throw new UsageError(`${option} ${text}: ${parsed.issues[0].message}`);
  return parsed.output;
}

/** A time that an operator names: how long ago, or exactly. */
export type Moment = { readonly kind: 'ago'; readonly ms: number } | { readonly kind: 'at'; readonly ms: number };

/** Null when the flag is absent. */
export function moment(option: string, text: string | undefined): Moment | null {
  if (text === undefined) return null;
  const ms = parseDuration(text);
  if (ms !== null && !/^\d{4,}$/.test(text)) return { kind: 'ago', ms };
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  if (Number.isNaN(at)) {
    throw new UsageError(`${option} ${text}: not a time; use e.g. 90s, 2h, 3d, 2026-01-31 or 2026-01-31T12:00:00Z`);
  }
  return { kind: 'at', ms: at };
}

/** @param nowMs the control plane's time */
export function momentText(moment: Moment, nowMs: number): string {
  return new Date(moment.kind === 'ago' ? nowMs - moment.ms : moment.ms).toISOString();
}

/** A whole number of at least 1; `otherwise` when the flag is absent. */
export function count(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new UsageError(`${option} ${text}: must be a whole number of at least 1`);
  return Number(text);
}

/** One of some words; null when the flag is absent. */
export function oneOf<const Word extends string>(
  option: string,
  words: readonly Word[],
  text: string | undefined,
): Word | null {
  if (text === undefined) return null;
  const chosen = words.find((word) => word === text);
  if (chosen === undefined) throw new UsageError(`${option} ${text}: must be one of ${words.join(', ')}`);
  return chosen;
}

/** Words from a repeated flag, each of which may hold several with commas. */
export function listed(values: readonly string[] = []): string[] {
  return values.flatMap((value) => value.split(',')).filter((word) => word !== '');
}
