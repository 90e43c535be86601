/** `/k/{secret}`: the page of a kill link. It is for people, so it is no part of the API and not in its document. */

import { log } from '../../../shared/log.ts';
import { ApiError } from '../../api-error.ts';
import { killByLink, viewKillLink } from '../../kill-links/kill-link.ts';
import { KILL_LINK_HEADERS, type KillLinkPage, killLinkPage } from '../../kill-links/page.ts';
import { callOrigin } from '../client-address.ts';
import type { AppContext } from '../context.ts';
import { allowsWrongLink } from '../rate-limit.ts';

export const KILL_LINK_PATH = '/k/:secret';

const STATUSES: Readonly<Record<KillLinkPage['kind'], 200 | 404 | 410 | 429 | 503>> = {
  ready: 200,
  used: 200,
  over: 200,
  expired: 410,
  unknown: 404,
  rate_limited: 429,
  unavailable: 503,
};

/** GET and HEAD, which previews of links send as well: they change nothing. */
export async function showKillLink(c: AppContext): Promise<Response> {
  hidePath(c);
  try {
    return await pageResponse(c, await viewKillLink(c.env, secretOf(c), Date.now()));
  } catch (error) {
    return unavailable(c, error);
  }
}

/** POST: kills, and shows what becomes of it by a GET, which a reload repeats. */
export async function useKillLink(c: AppContext): Promise<Response> {
  hidePath(c);
  const secret = secretOf(c);
  const call = {
    env: c.env,
    ...callOrigin(c),
    waitUntil: (promise: Promise<unknown>) => c.executionCtx.waitUntil(promise),
  };
  try {
    if (!(await killByLink(call, secret, Date.now()))) return await pageResponse(c, { kind: 'unknown' });
  } catch (error) {
    return unavailable(c, error);
  }
  return new Response(null, { status: 303, headers: { ...KILL_LINK_HEADERS, Location: `/k/${secret}` } });
}

/** The path is a secret: logs get this one. */
function hidePath(c: AppContext): void {
  c.set('route', '/k/{secret}');
}

function secretOf(c: AppContext): string {
  return c.req.param('secret') ?? '';
}

async function pageResponse(c: AppContext, page: KillLinkPage): Promise<Response> {
  const shown = page.kind === 'unknown' && !(await allowsWrongLink(c)) ? ({ kind: 'rate_limited' } as const) : page;
  const headers = shown.kind === 'rate_limited' ? { ...KILL_LINK_HEADERS, 'Retry-After': '60' } : KILL_LINK_HEADERS;
  return c.html(killLinkPage(shown, Date.now()), STATUSES[shown.kind], headers);
}

/** People get a page for every error. */
function unavailable(c: AppContext, error: unknown): Promise<Response> {
  if (!(error instanceof ApiError)) log.error('kill_link_failed', error, { request: c.get('requestId') });
  return pageResponse(c, { kind: 'unavailable' });
}
