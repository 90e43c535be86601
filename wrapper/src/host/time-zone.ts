/**
 * Names of time zones, from the files of the system: Intl knows them as well, but its first use takes as long as all the
 * rest of a start.
 */
import { existsSync, readlinkSync } from 'node:fs';

const ZONES = '/usr/share/zoneinfo';
const LOCAL_TIME = '/etc/localtime';

/** Null where the system has no list of zones. */
export function isTimeZone(name: string): boolean | null {
  if (!/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/.test(name)) return false;
  return existsSync(ZONES) ? existsSync(`${ZONES}/${name}`) : null;
}

/** The zone of this process, which is that of the cron that has started it. */
export function localTimeZone(env: NodeJS.ProcessEnv): string {
  const named = env.TZ?.replace(/^:/, '') || linkedZone();
  // Such as CET-1CEST, or a copy of a zone's file.
  return named !== null && isTimeZone(named) === true ? named : Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function linkedZone(): string | null {
  try {
    return /zoneinfo\/(.+)$/.exec(readlinkSync(LOCAL_TIME))?.[1] ?? null;
  } catch {
    // There is none, or it is no link.
    return null;
  }
}
