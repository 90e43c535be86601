/** Opens a watch link with an operator's settings. */
import type { ApiClient } from '../api-client.ts';
import { type WatchHandlers, WatchLink } from './watch-link.ts';

/** @param path after `/api/v1`: `/watch`, or `/jobs/{job}/watch` */
export function openWatch(api: ApiClient, path: string, handlers: WatchHandlers): WatchLink {
  const url = api.urlOf({ path });
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const { caFile, proxyEnv } = api.settings;
  return new WatchLink({ url, token: () => api.token(), caFile, proxyEnv }, handlers);
}
