/** What proves to a receiver that a webhook comes from here, when, and unchanged. */
import { createHmac } from 'node:crypto';

/**
 * `t=<unix seconds>,v1=<hex>`: the HMAC-SHA256 of `t.body` with the channel's secret. The time is part of what is signed, so a
 * receiver that refuses old ones can't be sent the same request again later.
 */
export function signature(secret: string, body: string, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000);
  const digest = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${digest}`;
}
