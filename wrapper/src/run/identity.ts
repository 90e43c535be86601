/** The names a run gets when nobody gives it any, and the secrets it makes for itself. */
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import { ulid } from 'ulid';

/** A new run id. */
export function newRunId(): string {
  return ulid(Date.now(), () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48);
}

/** 128 random bits by which the object knows that it is still the same wrapper that speaks for the run. */
export function newRunKey(): string {
  return randomBytes(16).toString('hex');
}

/** This host's name, as far as a machine name may hold it. */
export function machineName(hostname: string = os.hostname()): string {
  const cleaned = hostname.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return cleaned.slice(0, 128) || 'unknown';
}
