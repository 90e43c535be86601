/** What a wrapper reports about its machine: the host, and processes. */
import * as v from 'valibot';
import {
  MAX_LEFT_COMMAND_BYTES,
  MAX_LEFT_PROCESSES,
  MAX_RELATED_COMMAND_BYTES,
  MAX_RELATED_PROCESSES,
} from './limits.ts';

export const Host = v.object({
  /** The user that the command runs as: the name, or the number if it has none; null if unknown. */
  user: v.nullable(v.pipe(v.string(), v.maxLength(256))),
  /** Whether root started the wrapper, whatever user the command runs as. */
  is_root: v.boolean(),
  /** For example `Debian GNU/Linux 12 (bookworm), Linux 6.1.0 x86_64`. */
  os: v.pipe(v.string(), v.maxLength(256)),
  /** The version of Node.js, for example `v24.1.0`. */
  node: v.pipe(v.string(), v.maxLength(64)),
});
export type Host = v.InferOutput<typeof Host>;

const Pid = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const ShortCommandLine = v.pipe(v.string(), v.maxBytes(MAX_RELATED_COMMAND_BYTES));

/** Why a kill doesn't end a process without `include: "related"`. */
const RELATION = {
  /** Its parent; null if unknown. */
  parent: v.nullable(v.object({ pid: Pid, command_line: ShortCommandLine })),
  /** Whether `LEASH_KEEP=1` in its environment, or in an ancestor's, excludes it. */
  kept: v.boolean(),
};
const Relation = v.object(RELATION);

/** A related process that a kill doesn't end. Command lines are redacted and truncated. */
export const RelatedProcess = v.object({ pid: Pid, command_line: ShortCommandLine, ...RELATION });
export type RelatedProcess = v.InferOutput<typeof RelatedProcess>;

export const RelatedProcesses = v.pipe(v.array(RelatedProcess), v.maxLength(MAX_RELATED_PROCESSES));

/** A process of a run that has ended. */
export const LeftProcess = v.object({
  pid: Pid,
  /** Redacted and truncated; empty if it can't be read. */
  command_line: v.pipe(v.string(), v.maxBytes(MAX_LEFT_COMMAND_BYTES)),
  /** Only of a process that a kill doesn't end without `include: "related"`. */
  relation: v.optional(Relation),
});
export type LeftProcess = v.InferOutput<typeof LeftProcess>;

export const LeftProcesses = v.pipe(v.array(LeftProcess), v.maxLength(MAX_LEFT_PROCESSES));
