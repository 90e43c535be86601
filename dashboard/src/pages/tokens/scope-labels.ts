import type { Scope } from '#protocol/api';

/** What each right allows. */
export const SCOPE_MEANINGS: Readonly<Record<Scope, string>> = {
  run: 'For machines: lets the wrapper report its runs. It can neither see nor stop anything.',
  read: 'See runs, their output and kills. For people and monitors.',
  kill: 'Stop runs. On this page it needs read, too.',
  admin: 'All of that. For all jobs it also looks after tokens and reads the audit.',
};
