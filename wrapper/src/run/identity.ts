/** A run's default names, and its id and key. */
import { randomBytes } from 'node:crypto';
import { defaultInstance } from '#protocol/names';
import { hostName } from '../host/host-name.ts';
import { uniqueUlid } from '../host/unique-ulid.ts';
import type { LaunchedRun } from './run-context.ts';

/** A new run id. */
export function newRunId(): string {
  return uniqueUlid();
}

/** 128 random bits that prove to the job object that the same wrapper still speaks for the run. */
export function newRunKey(): string {
  return randomBytes(16).toString('hex');
}

/** The run's job, instance and machine. */
export function nameRun({ options, startedAt, settings }: Pick<LaunchedRun, 'options' | 'startedAt' | 'settings'>) {
  return {
    job: options.job,
    instance: options.instance ?? defaultInstance(options.job, startedAt),
    machine: options.machine ?? machineName(settings.LEASH_MACHINE ?? hostName()),
  };
}

/** Makes a valid machine name of a host's name. */
export function machineName(host: string): string {
  const cleaned = host.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return cleaned.slice(0, 128) || 'unknown';
}
