/** What a session allows. The control plane decides; this only spares people buttons that would be refused. */
import type { Run, Session } from '#protocol/api';
import { isLive } from '#protocol/run-state';

export function mayKill(session: Session, job: string): boolean {
  const scoped = session.scopes.includes('kill') || session.scopes.includes('admin');
  return scoped && matchesGlob(session.jobs, job);
}

export function mayRead(session: Session): boolean {
  return session.scopes.includes('read') || session.scopes.includes('admin');
}

/** Tokens and the audit are for those who administer all jobs. */
export function mayAdminister(session: Session): boolean {
  return session.scopes.includes('admin') && session.jobs === '*';
}

/** Whether a kill can still have an effect: a run that is lost but not for good may come back, and is killed then. */
export function isKillable(run: Run): boolean {
  return isLive(run.state) || !run.final;
}

/** `*` stands for any characters. */
export function matchesGlob(glob: string, name: string): boolean {
  const parts = glob.split('*');
  const first = parts[0] ?? '';
  const last = parts[parts.length - 1] ?? '';
  if (parts.length === 1) return name === glob;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
