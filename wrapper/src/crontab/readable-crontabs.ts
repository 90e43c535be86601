/** The crontabs that this user may read, as they are: for root all of this machine. */
import { hasCode } from '../host/error-code.ts';
import { type CrontabSource, describeSource, formatOf, readCrontab } from './cron-tables.ts';
import type { CrontabFormat } from './crontab-entry.ts';
import { type FoundCrontabs, findCrontabs, findSystemCrontabs } from './find-crontabs.ts';

export interface ReadableCrontab {
  /** For a person. */
  readonly name: string;
  /** Latin-1: one character a byte. */
  readonly text: string;
  readonly format: CrontabFormat;
}

/** @throws what the file system says */
export function readableCrontabs(isRoot = process.geteuid?.() === 0): readonly ReadableCrontab[] {
  // Only crontab(1) may read those of other users.
  const own: CrontabSource = { kind: 'user', user: null };
  const all = isRoot ? sourcesIn(findCrontabs()) : [own, ...systemSources()];
  return all.flatMap((source) => {
    const read = readCrontab(source);
    return read.kind === 'read' ? [{ name: nameOf(source), text: read.text, format: formatOf(source) }] : [];
  });
}

function systemSources(): readonly CrontabSource[] {
  try {
    return sourcesIn(findSystemCrontabs());
  } catch (error) {
    // Some administrators close /etc/cron.d.
    if (hasCode(error, 'EACCES')) return [];
    throw error;
  }
}

function sourcesIn({ sources, disputed }: FoundCrontabs): readonly CrontabSource[] {
  return [...sources, ...disputed.map((file) => ({ kind: 'file', path: file, format: 'system' }) as const)];
}

function nameOf(source: CrontabSource): string {
  return source.kind === 'user' && source.user === null ? 'your crontab' : describeSource(source);
}
