/** Who and what: the names that every part of Leash uses, and what each may look like. */
import * as v from 'valibot';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const RUN_KEY = /^[0-9a-f]{32}$/;

/** The name of what runs, e.g. `backup`. One Durable Object per job name. */
export const JobName = v.pipe(
  v.string(),
  v.regex(
    NAME,
    'a job name starts with a letter or digit and has up to 128 letters, digits, dots, underscores and dashes',
  ),
);

/** One firing of a job; several machines may share it. */
export const InstanceName = v.pipe(
  v.string(),
  v.regex(
    NAME,
    'an instance starts with a letter or digit and has up to 128 letters, digits, dots, underscores and dashes',
  ),
);

/** Where a run runs; by default the machine's FQDN. */
export const MachineName = v.pipe(
  v.string(),
  v.regex(
    NAME,
    'a machine name starts with a letter or digit and has up to 128 letters, digits, dots, underscores and dashes',
  ),
);

/**
 * `*` stands for any characters; everything else for itself. One with a `*` is shorter than a name may be: D1 takes no
 * pattern of more than 50 bytes.
 */
export const Glob = v.pipe(
  v.string(),
  v.regex(
    /^([A-Za-z0-9._-]{1,128}|[A-Za-z0-9._*-]{1,50})$/,
    'up to 128 letters, digits, dots, underscores and dashes; with a * up to 50',
  ),
);

/** Which machines: a name or a glob, or up to 20 of them, separated by commas. No name holds a `*` or a comma. */
export const MachineSelector = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z0-9._*-]{1,128}(,[A-Za-z0-9._*-]{1,128}){0,19}$/,
    'a machine name or a glob, or up to 20 of them, separated by commas',
  ),
);

/** A run's id: a ULID made by the wrapper, so that a run has a name before anyone is reached. */
export const RunId = v.pipe(v.string(), v.regex(ULID, 'a run id is a ULID'));

/** A kill's id: a ULID made by the control plane. */
export const KillId = v.pipe(v.string(), v.regex(ULID, 'a kill id is a ULID'));

/** 128 random bits in hex, known to the wrapper and its spool alone. The object keeps only a hash. */
export const RunKey = v.pipe(v.string(), v.regex(RUN_KEY, 'a run key is 32 hex digits'));

/**
 * The instance a run belongs to when nobody names one: `<job>_<epoch seconds>`.
 *
 * A job name may fill all 128 characters, so it gives way to the time.
 */
export function defaultInstance(job: string, startedAt: Date): string {
  const suffix = `_${Math.floor(startedAt.getTime() / 1000)}`;
  return job.slice(0, 128 - suffix.length) + suffix;
}
