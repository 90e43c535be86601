/** What a session allows. The control plane decides; this only spares people buttons that would be refused. */
import type { Run, Session } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import { isLive } from '#protocol/run-state';

export function mayKill(session: Session, job: string): boolean {
  const scoped = session.scopes.includes('kill') || session.scopes.includes('admin');
  return scoped && matchesGlob(session.jobs, job);
}

/** Whether it may set and end brakes on these jobs, which are globs. */
export function mayBrake(session: Session, jobs: readonly string[]): boolean {
  // A glob that matches another as a name matches all that it does.
  return jobs.every((glob) => mayKill(session, glob));
}

export function mayRead(session: Session): boolean {
  return session.scopes.includes('read') || session.scopes.includes('admin');
}

/** Expectations are for those who administer the job. */
export function mayAdministerJob(session: Session, job: string): boolean {
  return session.scopes.includes('admin') && matchesGlob(session.jobs, job);
}

/** Tokens and the audit are for those who administer all jobs. */
export function mayAdminister(session: Session): boolean {
  return session.scopes.includes('admin') && session.jobs === '*';
}

/** Whether a kill can still have an effect: a run that is lost but not for good may come back, and is killed then. */
export function isKillable(run: Run): boolean {
  return isLive(run.state) || !run.final;
}

/** The same of a kill that names the run: it ends what a run that is over has left running, too. */
export function hasWorkForKill(run: Run): boolean {
  return isKillable(run) || run.left_running.length > 0;
}
