/** Lets a wrapper connect, or tells it when to ask again: before its token costs a query. */
import { DISCONNECTED_HEADER } from '#protocol/wrapper-link';
import { log } from '../../shared/log.ts';
import { readSettings } from '../../shared/settings.ts';
import { Busy } from '../api-error.ts';
import { Admission } from './admission.ts';
import type { AppContext } from './context.ts';

/** Of this isolate. */
const admission = new Admission();

/** How long a crowd lasts before another line is logged about it. */
const LOG_INTERVAL_MS = 10_000;
let loggedAt = 0;

/** @throws Busy if too many wrappers are connecting */
export async function admit(c: AppContext, connect: () => Promise<Response>): Promise<Response> {
  const now = Date.now();
  const { reconnectCapMs } = readSettings(c.env);
  const admitted = admission.ask({ disconnectedMs: readDisconnectedMs(c), reconnectCapMs }, now);
  if (admitted.kind === 'busy') {
    if (now - loggedAt >= LOG_INTERVAL_MS) {
      loggedAt = now;
      log.warn('wrappers_asked_to_wait', { first_pause_ms: admitted.pauseMs });
    }
    throw new Busy(admitted.pauseMs);
  }
  let status = 0;
  try {
    const response = await connect();
    status = response.status;
    return response;
  } finally {
    admitted.leave(status === 101);
  }
}

function readDisconnectedMs(c: AppContext): number | null {
  const text = c.req.header(DISCONNECTED_HEADER);
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}
