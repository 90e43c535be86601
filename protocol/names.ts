/** The names and ids that every part of Leash uses, and their syntax. */
import * as v from 'valibot';
import { MAX_GLOBS } from './limits.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const RUN_KEY = /^[0-9a-f]{32}$/;

const Name = v.pipe(
  v.string(),
  v.regex(NAME, 'must start with a letter or digit and have at most 128 letters, digits, dots, underscores and dashes'),
);

/** The name of what runs, such as `backup`. One Durable Object per job name. */
export const JobName = Name;

/** One firing of a job; several machines may share it. */
export const InstanceName = Name;

/** Where a run runs; by default the machine's FQDN. */
export const MachineName = Name;

/** `*` matches any characters. A glob with a `*` is limited to 50 characters, because D1 refuses longer patterns. */
export const Glob = v.pipe(
  v.string(),
  v.regex(
    /^([A-Za-z0-9._-]{1,128}|[A-Za-z0-9._*-]{1,50})$/,
    'must have at most 128 letters, digits, dots, underscores and dashes; at most 50 characters with a *',
  ),
);

/** One glob or several, any of which must match. */
export const Globs = v.pipe(
  v.union(
    [Glob, v.pipe(v.array(Glob), v.minLength(1), v.maxLength(MAX_GLOBS))],
    `must be a glob, or up to ${MAX_GLOBS} globs`,
  ),
  v.transform((globs) => (typeof globs === 'string' ? [globs] : globs)),
);

/** Which machines: up to 20 names or globs, separated by commas. No name contains a `*` or a comma. */
export const MachineSelector = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z0-9._*-]{1,128}(,[A-Za-z0-9._*-]{1,128}){0,19}$/,
    'must be up to 20 machine names or globs, separated by commas',
  ),
);

const Ulid = v.pipe(v.string(), v.regex(ULID, 'must be a ULID'));

/** A ULID made by the wrapper, so that a run has an id before the control plane is reached. */
export const RunId = Ulid;

// Those below are made by the control plane.
export const KillId = Ulid;
export const AlertId = Ulid;
export const BrakeId = Ulid;

/** 128 random bits in hex, known only to the wrapper and its spool. The object stores a hash. */
export const RunKey = v.pipe(v.string(), v.regex(RUN_KEY, 'must be 32 hex digits'));

/** A run's instance by default: `<job>_<epoch seconds>`. A long job name is truncated to make room for the time. */
export function defaultInstance(job: string, startedAt: Date): string {
  const suffix = `_${Math.floor(startedAt.getTime() / 1000)}`;
  return job.slice(0, 128 - suffix.length) + suffix;
}

/**
 * A valid name for any text, such as a job's name in another system. A valid name stays as it is. In any other, what is not
 * allowed becomes dashes, and a checksum of the whole text follows, so that similar texts get different names. The checksum
 * is short: texts that are made to collide do.
 */
export function toValidName(text: string): string {
  if (NAME.test(text)) return text;
  const suffix = checksum(text);
  const readable = text
    .slice(0, 1024)
    .replaceAll(/[^A-Za-z0-9._]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 128 - 1 - suffix.length)
    .replace(/[-._]+$/, '');
  return readable === '' ? suffix : `${readable}-${suffix}`;
}

/** FNV-1a over the text's UTF-16 code units: eight hex digits. */
function checksum(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
