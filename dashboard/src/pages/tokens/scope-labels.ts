import type { Scope } from '#protocol/api';

/** What each right allows. */
export const SCOPE_MEANINGS: Readonly<Record<Scope, string>> = {
  run: 'For machines: report runs. Can’t view or stop anything.',
  saltpeter: 'For machines that still have Saltpeter’s wrapper: report runs through it, and nothing else.',
  read: 'For people and monitoring: view runs, output and kills.',
  kill: 'Stop runs (needs read to use this dashboard).',
  admin: 'Everything above; with all jobs also tokens and the audit log.',
};
