import type { Scope } from '#protocol/api';

/** What each right allows. */
export const SCOPE_MEANINGS: Readonly<Record<Scope, string>> = {
  run: 'Start runs under the wrapper. For machines; it can neither see nor stop anything.',
  read: 'See runs, their output and commands. For people and monitors.',
  kill: 'Stop runs. On this page it needs read, too.',
  admin: 'All of that. For all jobs it also looks after tokens and reads the audit.',
};
