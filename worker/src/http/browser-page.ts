/**
 * The page, where a browser asks for one.
 *
 * Files that exist are answered before the Worker, and without it. What gets here is none: one of the page's own addresses,
 * which only its script tells apart, or nothing.
 */
import { PAGE_PATHS, pageAt } from '#protocol/page-paths';
import type { AppContext } from './context.ts';

/** The page for one of its addresses; and, with 404, for a browser that asks for what is not there. Null for all others. */
export async function browserPage(c: AppContext): Promise<Response | null> {
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

/** As it is at the root: with the headers of its own that `_headers` gives it. */
async function page(c: AppContext, ifNoneMatch: string | null): Promise<Response> {
  const headers = new Headers(ifNoneMatch === null ? {} : { 'If-None-Match': ifNoneMatch });
  const found = await c.env.ASSETS.fetch(new Request(new URL('/', c.req.url), { method: c.req.raw.method, headers }));
  // Its headers can't be changed, and each answer gets the name of its request.
  return new Response(found.body, found);
}
