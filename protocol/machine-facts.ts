/** What a wrapper reports of the machine it is on: the host, and what a command has left running there. */
import * as v from 'valibot';
import { MAX_LEFT_COMMAND_BYTES, MAX_LEFT_PROCESSES } from './limits.ts';

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

/** A process of a run that has ended. */
export const LeftProcess = v.object({
  pid: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  /** Its command line, redacted and cut; empty when it can't be read. */
  command: v.pipe(v.string(), v.maxBytes(MAX_LEFT_COMMAND_BYTES)),
});
export type LeftProcess = v.InferOutput<typeof LeftProcess>;

export const LeftProcesses = v.pipe(v.array(LeftProcess), v.maxLength(MAX_LEFT_PROCESSES));
