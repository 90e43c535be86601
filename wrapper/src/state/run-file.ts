/** The files that describe a run on disk, for the process that finishes what the run's wrapper could not. */
import os from 'node:os';
import * as v from 'valibot';
import { About } from '#protocol/about';
import { Expected } from '#protocol/expectations';
import { Host } from '#protocol/machine-facts';
import { InstanceName, JobName, MachineName, RunId, RunKey } from '#protocol/names';
import { Complete, Killing } from '#protocol/wrapper-link';

/** Of all that is in a run's directory, the spool included. What another version wrote is left alone, and reported by `leash flush`. */
export const FORMAT_VERSION = 2;

const Process = v.object({
  pid: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  startTime: v.string(),
  bootId: v.string(),
  pidNamespace: v.optional(v.string()),
});
const ProcessTree = v.object({
  leader: Process,
  cookie: v.string(),
  pipes: v.optional(v.pipe(v.array(v.string()), v.readonly()), []),
  cgroup: v.nullable(v.string()),
});
const Ms = v.pipe(v.number(), v.finite(), v.minValue(0));

/** How the run is supervised: what a successor needs to know. */
const Supervision = v.object({
  /** How many successors the run has had so far. */
  successor: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** The shell that holds the command's pipes, and starts a successor when the wrapper dies; null when there is none. */
  guardian: v.nullable(Process),
  /** The directory of its journal; null when it has none. */
  journal: v.nullable(v.string()),
  wrapper_death: v.picklist(['keep', 'kill']),
  leftovers: v.optional(v.picklist(['tell', 'kill', 'ignore']), 'tell'),
  /** The first signal when a limit ends the command. */
  signal: v.custom<NodeJS.Signals>((value) => typeof value === 'string' && value in os.constants.signals),
  idle_timeout_ms: v.nullable(Ms),
  max_offline_ms: v.nullable(Ms),
  /** Absent from files of older versions. */
  max_memory_bytes: v.optional(v.nullable(v.number()), null),
  max_cpu_ms: v.optional(v.nullable(Ms), null),
  /** Null: as much as the control plane keeps. */
  spool_limit_bytes: v.nullable(v.number()),
  log_file: v.nullable(v.string()),
  /** Patterns for secrets, as they are matched against bytes; null: nothing is hidden. */
  redact: v.nullable(v.array(v.string())),
});
export type Supervision = v.InferOutput<typeof Supervision>;

export const RunFacts = v.object({
  version: v.literal(FORMAT_VERSION),
  run: RunId,
  run_key: RunKey,
  job: JobName,
  instance: InstanceName,
  machine: MachineName,
  /** Null for an unsupervised run. The token is never written: only where it can be read. */
  control_plane: v.nullable(
    v.object({
      url: v.string(),
      /** Null when it came from the environment: then only a process with the same environment can send this run. */
      token_file: v.nullable(v.string()),
      ca_file: v.nullable(v.string()),
    }),
  ),
  /** Redacted. */
  command_line: v.string(),
  /** What the job is, redacted; absent if the run does not say. What is malformed must not void the rest. */
  about: v.fallback(v.optional(About), undefined),
  /** When runs like this one are expected. What is malformed must not void the rest. */
  expected: v.fallback(v.optional(Expected), undefined),
  leash_version: v.string(),
  host: v.optional(Host),
  limits: v.object({ timeout_ms: v.nullable(Ms), grace_ms: Ms, signal: v.optional(v.string()) }),
  /** By the wall clock, since the epoch. */
  started_at_ms: v.number(),
  /** By the machine's monotonic clock, since its boot. */
  started_uptime_ms: Ms,
  boot_id: v.string(),
  /** The supervising process. Once it is gone, the owner of the directory only sends what is left. */
  wrapper: Process,
  /** How to find what the run has started; null when nothing was. */
  process_tree: v.nullable(ProcessTree),
  supervision: Supervision,
});
export type RunFacts = v.InferOutput<typeof RunFacts>;

export const RunEnd = v.object({
  version: v.literal(FORMAT_VERSION),
  complete: Complete,
  /** Steps of ending the run by the wrapper itself that may not have been reported. */
  unreported_steps: v.array(Killing),
});
export type RunEnd = v.InferOutput<typeof RunEnd>;

/** See `RunDirectory.dropOutput`. */
const Dropped = v.object({
  version: v.literal(FORMAT_VERSION),
  /** Where it ended. */
  final_offset: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});

/** A parsed file. */
export type Read<T> =
  | { readonly kind: 'read'; readonly value: T }
  /** Another version of leash wrote it: to be left alone. */
  | { readonly kind: 'newer' | 'older' }
  | { readonly kind: 'unreadable' };

export function readFacts(text: string): Read<RunFacts> {
  return readVersioned(RunFacts, text);
}

export function readEnd(text: string): Read<RunEnd> {
  return readVersioned(RunEnd, text);
}

export function readDropped(text: string): Read<v.InferOutput<typeof Dropped>> {
  return readVersioned(Dropped, text);
}

export function readVersioned<Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
): Read<v.InferOutput<Schema>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // SyntaxError: truncated by a loss of power, or not written by us.
    return { kind: 'unreadable' };
  }
  const versioned = v.safeParse(v.object({ version: v.number() }), json);
  if (!versioned.success) return { kind: 'unreadable' };
  const { version } = versioned.output;
  if (version !== FORMAT_VERSION) return { kind: version > FORMAT_VERSION ? 'newer' : 'older' };
  const result = v.safeParse(schema, json);
  return result.success ? { kind: 'read', value: result.output } : { kind: 'unreadable' };
}

/**
 * How old a run is, in whole ms: by the monotonic clock within the same boot, by the wall clock after a restart of the
 * machine.
 */
export function ageOf(facts: RunFacts, now: { bootId: string; uptimeMs: number; epochMs: number }): number {
  const isSameBoot = facts.boot_id !== '' && facts.boot_id === now.bootId;
  const age = isSameBoot ? now.uptimeMs - facts.started_uptime_ms : now.epochMs - facts.started_at_ms;
  return Math.max(0, Math.round(age));
}
