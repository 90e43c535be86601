/** What a wrapper reports of the machine it is on: the host, and what a command has left running there. */
import * as v from 'valibot';
import {
  MAX_LEFT_COMMAND_BYTES,
  MAX_LEFT_PROCESSES,
  MAX_RELATED_COMMAND_BYTES,
  MAX_RELATED_PROCESSES,
} from './limits.ts';

export const Host = v.object({
  /** Whom the command runs as: the name, or the number of a user without one; null when that can't be told. */
  user: v.nullable(v.pipe(v.string(), v.maxLength(256))),
  /** Whether the wrapper was started by root, whoever the command then runs as. */
  is_root: v.boolean(),
  /** For example `Debian GNU/Linux 12 (bookworm), Linux 6.1.0 x86_64`. */
  os: v.pipe(v.string(), v.maxLength(256)),
  /** The version of Node.js, for example `v24.1.0`. */
  node: v.pipe(v.string(), v.maxLength(64)),
});
export type Host = v.InferOutput<typeof Host>;

const Pid = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const ShortCommandLine = v.pipe(v.string(), v.maxBytes(MAX_RELATED_COMMAND_BYTES));

/** Why a process that has to do with a run is not killed with it, unless that is asked for. */
const RELATION = {
  /** Whose child it is; null when that can't be told. */
  parent: v.nullable(v.object({ pid: Pid, command_line: ShortCommandLine })),
  /** Whether `LEASH_KEEP=1` in its environment, or an ancestor's, leaves it out; else it is not proven to be the run's. */
  kept: v.boolean(),
};
const Relation = v.object(RELATION);

/** A process that are related to a run and not killed with it. Command lines are redacted and cut. */
export const RelatedProcess = v.object({ pid: Pid, command_line: ShortCommandLine, ...RELATION });
export type RelatedProcess = v.InferOutput<typeof RelatedProcess>;

export const RelatedProcesses = v.pipe(v.array(RelatedProcess), v.maxLength(MAX_RELATED_PROCESSES));

/** A process of a run that has ended. */
export const LeftProcess = v.object({
  pid: Pid,
  /** Its command line, redacted and cut; empty when it can't be read. */
  command_line: v.pipe(v.string(), v.maxBytes(MAX_LEFT_COMMAND_BYTES)),
  /** Of one that a kill leaves alone unless it includes what is related. */
  relation: v.optional(Relation),
});
export type LeftProcess = v.InferOutput<typeof LeftProcess>;

export const LeftProcesses = v.pipe(v.array(LeftProcess), v.maxLength(MAX_LEFT_PROCESSES));
