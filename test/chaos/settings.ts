/** The control plane's settings for chaos. */
import { MIB } from '#protocol/limits';

/** So much is kept of a run's output: some print more. */
export const KEPT_OUTPUT_BYTES = MIB;

/** Deadlines that come soon, so that the troubles of some seconds (schedule.ts) are longer and shorter than they are. */
export const CHAOS = {
  HEARTBEAT_MS: '400',
  WRAPPER_SILENCE_MS: '1600',
  RECONNECT_CAP_MS: '500',
  SILENCE_MS: '1500',
  PROBE_MS: '700',
  DISCONNECT_MS: '1500',
  KILL_ANSWER_MS: '800',
  KILL_TTL_MS: '4000',
  OUTPUT_INTERVAL_MS: '500',
  INDEX_DELAY_MS: '0',
  ALERT_GROUP_MS: '200',
  /** The receiver is on loopback. */
  ALLOW_PRIVATE_ALERTS: 'true',
  RUN_OUTPUT_MAX_BYTES: String(KEPT_OUTPUT_BYTES),
} as const;
