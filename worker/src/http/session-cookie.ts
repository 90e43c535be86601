/** The cookie of a dashboard session. Its value is random and stored as a hash. */
import { parse, serialize } from 'hono/utils/cookie';

export const SESSION_SECONDS = 12 * 60 * 60;

// The __Host- prefix needs Secure, and that needs HTTPS, which `npm start` on loopback doesn't have.
const SECURE_NAME = '__Host-leash';
const LOOPBACK_NAME = 'leash';

export function readSessionCookie(request: Request): string | null {
  const name = cookieName(request);
  return parse(request.headers.get('Cookie') ?? '', name)[name] ?? null;
}

/** @param value null to end the session */
export function sessionCookie(request: Request, value: string | null): string {
  const name = cookieName(request);
  return serialize(name, value ?? '', {
    path: '/',
    httpOnly: true,
    sameSite: 'Strict',
    secure: name === SECURE_NAME,
    maxAge: value === null ? 0 : SESSION_SECONDS,
  });
}

function cookieName(request: Request): string {
  const { protocol, hostname } = new URL(request.url);
  const isLoopback = hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]';
  return protocol === 'http:' && isLoopback ? LOOPBACK_NAME : SECURE_NAME;
}
