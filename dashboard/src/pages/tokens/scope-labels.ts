import type { Scope } from '#protocol/api';

/** What each right allows. */
export const SCOPE_MEANINGS: Readonly<Record<Scope, string>> = {
  run: 'For machines: report runs. Can’t view or stop anything.',
  read: 'For people and monitoring: view runs, output and kills.',
  kill: 'Stop runs (needs read to use this dashboard).',
  admin: 'Everything above; with all jobs also tokens and the audit log.',
};
