/**
 * The dashboard, when a browser navigates.
 *
 * The runtime serves files without the Worker. Other paths get here: those of the dashboard's views, which its script tells
 * apart, and unknown ones.
 */
import { PAGE_PATHS, pageAt } from '#protocol/page-paths';
import type { AppContext } from './context.ts';

/** The dashboard for the path of one of its views, and, with 404, for a browser at an unknown path. Null for others. */
export async function dashboardPage(c: AppContext): Promise<Response | null> {
  const { method, headers } = c.req.raw;
  if (method !== 'GET' && method !== 'HEAD') return null;
  const address = pageAt(new URL(c.req.url).pathname);
  if (address !== null) {
    c.set('route', PAGE_PATHS[address.page]);
    return page(c, headers.get('If-None-Match'));
  }
  const isNavigation = headers.get('Accept')?.includes('text/html') === true;
  if (!isNavigation) return null;
  const found = await page(c, null);
  return new Response(found.body, { status: 404, headers: found.headers });
}

/** The page at the root, with its headers from `_headers`. */
async function page(c: AppContext, ifNoneMatch: string | null): Promise<Response> {
  const headers = new Headers(ifNoneMatch === null ? {} : { 'If-None-Match': ifNoneMatch });
  const found = await c.env.ASSETS.fetch(new Request(new URL('/', c.req.url), { method: c.req.raw.method, headers }));
  // The headers of a fetched response are immutable, and each response gets a request id.
  return new Response(found.body, found);
}
