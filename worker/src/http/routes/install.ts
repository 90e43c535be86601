/** `GET /install.sh`: installs the wrapper from this control plane. */
import { ApiError } from '../../api-error.ts';
import type { AppContext } from '../context.ts';
import { openOperation } from '../operation.ts';

/** In wrapper/install/install.sh, between single quotes. */
const PLACEHOLDER = '@ORIGIN@';

/** A host may hold characters that mean something to a shell, such as `'` and `$`. No host of ours does. */
const SAFE_ORIGIN = /^https?:\/\/[A-Za-z0-9.:[\]-]+$/;

export const installOperations = [
  openOperation({
    id: 'getInstallScript',
    method: 'get',
    path: '/install.sh',
    summary: 'Get the install script of the wrapper',
    description:
      'A POSIX shell script with the address of this control plane filled in: `curl -fsSL https://leash.example.com/install.sh | sh -s -- --token-stdin`. It installs `/leash.cjs`, verified against `/leash.cjs.sha256`.',
    responses: {
      200: { description: 'The script.', content: { kind: 'text', type: 'text/plain; charset=utf-8' } },
    },
    handle: async ({ c }) => {
      const script = await c.env.ASSETS.fetch(new URL('/install.sh', c.req.url));
      if (!script.ok) throw new ApiError('unavailable', 'This control plane was deployed without its install script.');
      return c.text((await script.text()).replace(PLACEHOLDER, ownOrigin(c)));
    },
  }),
];

/**
 * The address under which the caller has reached this control plane: its own, a custom domain, or a proxy that ends TLS in
 * front of a control plane on a machine of one's own. A caller who lies about it gets the lie back, and nobody else does:
 * the response is not stored.
 *
 * @throws ApiError `bad_request`
 */
function ownOrigin(c: AppContext): string {
  const url = new URL(c.req.url);
  if (c.req.header('X-Forwarded-Proto') === 'https') url.protocol = 'https:';
  if (!SAFE_ORIGIN.test(url.origin)) throw new ApiError('bad_request', 'The host of this address has odd characters.');
  return url.origin;
}
