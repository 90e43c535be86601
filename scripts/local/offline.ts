/**
 * Import this before miniflare and wrangler: they make no calls to the outside and say nothing but errors. Anything
 * local works without a network.
 */
Object.assign(process.env, {
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_LOG: 'error',
  // An update check is a call to the outside too.
  WRANGLER_HIDE_BANNER: 'true',
});
