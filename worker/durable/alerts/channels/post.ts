/** Sends one request to a receiver, which may hang, redirect, fail, or answer with a megabyte. */
import { showInvisible } from '#protocol/invisible-characters';
import { KIB } from '#protocol/limits';
import { version } from '../../../../package.json';

/** For all of it: connecting, sending, and reading the response. */
const TIMEOUT_MS = 5_000;
const MAX_RESPONSE_BYTES = 64 * KIB;
/** How much of an error response is kept to be shown. */
const MAX_EXCERPT_CHARS = 300;
/** A receiver can't put off an alert for longer. */
const MAX_RETRY_AFTER_MS = 60 * 60 * 1000;

export interface PostRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * - `delivered`: any 2xx
 * - `redirected`: not followed: where it leads was not checked
 * - `status`: any other status. `retryAfterMs`: what the receiver asks for; `excerpt`: how its response begins
 * - `unreachable`: no response; the name is unknown, the connection refused or lost, the certificate invalid
 */
export type PostResult =
  | { readonly kind: 'delivered'; readonly status: number }
  | { readonly kind: 'timeout'; readonly timeoutMs: number }
  | { readonly kind: 'redirected'; readonly status: number }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly retryAfterMs: number | null;
      readonly excerpt: string;
    }
  | { readonly kind: 'unreachable'; readonly detail: string };

/** Never rejects. @param fetchUrl the global `fetch`, or one that reaches public addresses only */
export async function post(
  { url, headers, body }: PostRequest,
  fetchUrl: typeof fetch,
  { timeoutMs = TIMEOUT_MS, now = Date.now() }: { readonly timeoutMs?: number; readonly now?: number } = {},
): Promise<PostResult> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetchUrl(url, {
      method: 'POST',
      headers: { 'User-Agent': `leash/${version}`, ...headers },
      body,
      redirect: 'manual',
      signal,
    });
    return await readResponse(response, now);
  } catch (error) {
    if (signal.aborted) return { kind: 'timeout', timeoutMs };
    return { kind: 'unreachable', detail: describe(error) };
  }
}

/** The runtime says a name that is unknown, and an address that it does not connect to, by a reference into its own log. */
function describe(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const isOpaque = text === '' || text.startsWith('internal error');
  return isOpaque ? 'No connection: the name is unknown, or leads to an address that is not allowed.' : oneLine(text);
}

async function readResponse(response: Response, now: number): Promise<PostResult> {
  const { status } = response;
  // It has been taken: what a response contains changes nothing, however long it is.
  if (response.ok || (status >= 300 && status < 400)) {
    await dismiss(response.body);
    return { kind: response.ok ? 'delivered' : 'redirected', status };
  }
  return {
    kind: 'status',
    status,
    retryAfterMs: readRetryAfter(response.headers.get('Retry-After'), now),
    excerpt: await readExcerpt(response.body),
  };
}

/** Ends the transfer of a body. */
async function dismiss(body: ReadableStream<Uint8Array> | null): Promise<void> {
  // A connection that is lost meanwhile is as good.
  await body?.cancel().catch(() => undefined);
}

/** How a body begins, in one line; as much of it as came before the time was up. */
async function readExcerpt(body: ReadableStream<Uint8Array> | null): Promise<string> {
  if (body === null) return '';
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  try {
    while (bytes < MAX_RESPONSE_BYTES && text.length < MAX_EXCERPT_CHARS) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.length;
      text += decoder.decode(value.subarray(0, MAX_RESPONSE_BYTES), { stream: true });
    }
  } catch {
    // Aborted or lost: the status is known, and is what counts.
  }
  await reader.cancel().catch(() => undefined);
  return oneLine(text);
}

function oneLine(text: string): string {
  return showInvisible(text.replaceAll(/\s+/g, ' ').trim()).slice(0, MAX_EXCERPT_CHARS);
}

/** Seconds, or a date. Null if it is neither, or over. */
function readRetryAfter(value: string | null, now: number): number | null {
  if (value === null) return null;
  const ms = /^\s*\d{1,9}\s*$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : null;
}
