/** What a token may do, for people. */
import type { Scope, Session } from '#protocol/api';
import type { ApiClient } from './api-client.ts';
import type { Output } from './output.ts';
import { exactTime } from './relative-time.ts';

const MEANINGS: Readonly<Record<Scope, string>> = {
  run: 'report runs',
  read: 'read runs and their output',
  kill: 'kill runs',
  admin: 'everything, including tokens and the audit log',
  saltpeter: 'report runs of Saltpeter’s wrappers',
};

export function showSession(
  session: Session,
  api: Pick<ApiClient, 'settings' | 'now'>,
  output: Pick<Output, 'fields'>,
): void {
  const { name, scopes, jobs, machines, expires_at } = session;
  output.fields([
    ['control plane', api.settings.url.href.replace(/\/$/, '')],
    ['token', { text: name, style: 'bold' }],
    ['from', api.settings.tokenFrom],
    ['may', scopes.map((scope) => MEANINGS[scope]).join('; ')],
    ['jobs', jobs === '*' ? 'all' : jobs],
    // Null: an older control plane doesn't say.
    ['machines', machines === undefined ? null : machines === '*' ? 'all' : machines],
    ['expires', expires_at === null ? 'never' : exactTime(expires_at, api.now())],
  ]);
}
