/** Every deadline and bound that a deployment may set. */

import { MIB } from '#protocol/limits';

/** The `[vars]` of wrangler.toml; each is a whole number of what its name says. */
export interface SettingVars {
  readonly HEARTBEAT_MS: string;
  readonly WRAPPER_SILENCE_MS: string;
  readonly RECONNECT_CAP_MS: string;
  readonly SILENCE_MS: string;
  readonly PROBE_MS: string;
  readonly DISCONNECT_MS: string;
  readonly KILL_ANSWER_MS: string;
  readonly KILL_TTL_MS: string;
  readonly LOST_TARGET_MS: string;
  readonly RUN_OUTPUT_MAX_BYTES: string;
  readonly JOB_OUTPUT_MAX_BYTES: string;
  readonly RUN_DAYS: string;
  readonly EVENT_DAYS: string;
  readonly AUDIT_DAYS: string;
}

export interface Settings {
  readonly heartbeatMs: number;
  readonly wrapperSilenceMs: number;
  readonly reconnectCapMs: number;
  readonly silenceMs: number;
  readonly probeMs: number;
  readonly disconnectMs: number;
  readonly killAnswerMs: number;
  readonly killTtlMs: number;
  readonly lostTargetMs: number;
  readonly runOutputMaxBytes: number;
  readonly jobOutputMaxBytes: number;
  readonly runDays: number;
  readonly eventDays: number;
  readonly auditDays: number;
}

/** An object's storage ends at 10 GB. What is beyond this stays free for runs, events and kills. */
const MAX_JOB_OUTPUT_BYTES = 9_000_000_000;

export function daysInMs(days: number): number {
  return days * 24 * 60 * 60 * 1000;
}

/**
 * The settings as numbers.
 *
 * @throws when some are not positive whole numbers, or do not go together, with all that is wrong: a deployment that would
 *   judge by nonsense must not come up
 */
export function readSettings(vars: SettingVars): Settings {
  const wrong: string[] = [];
  const number = (name: keyof SettingVars) => {
    const value = Number(vars[name]);
    if (Number.isSafeInteger(value) && value > 0) return value;
    const given = vars[name] === undefined ? 'missing' : JSON.stringify(vars[name]);
    wrong.push(`${name} is ${given}; it must be a whole number above 0, in the unit that its name ends in`);
    return Number.NaN;
  };
  const settings = {
    heartbeatMs: number('HEARTBEAT_MS'),
    wrapperSilenceMs: number('WRAPPER_SILENCE_MS'),
    reconnectCapMs: number('RECONNECT_CAP_MS'),
    silenceMs: number('SILENCE_MS'),
    probeMs: number('PROBE_MS'),
    disconnectMs: number('DISCONNECT_MS'),
    killAnswerMs: number('KILL_ANSWER_MS'),
    killTtlMs: number('KILL_TTL_MS'),
    lostTargetMs: number('LOST_TARGET_MS'),
    runOutputMaxBytes: number('RUN_OUTPUT_MAX_BYTES'),
    jobOutputMaxBytes: number('JOB_OUTPUT_MAX_BYTES'),
    runDays: number('RUN_DAYS'),
    eventDays: number('EVENT_DAYS'),
    auditDays: number('AUDIT_DAYS'),
  };
  const require = (holds: boolean, rule: string) => {
    if (!holds) wrong.push(rule);
  };
  // What is no number has been told already, and is neither more nor less than another.
  require(!(settings.silenceMs <= settings.heartbeatMs), 'SILENCE_MS must be longer than HEARTBEAT_MS');
  require(!(settings.wrapperSilenceMs <= settings.heartbeatMs), 'WRAPPER_SILENCE_MS must be longer than HEARTBEAT_MS');
  // Less would declare runs lost whose wrappers are still between two attempts.
  require(!(
    settings.disconnectMs <
    2 * settings.reconnectCapMs
  ), 'DISCONNECT_MS must be at least twice RECONNECT_CAP_MS');
  // A frame is 256 KiB: less would leave no room for a tail beside the head.
  require(!(settings.runOutputMaxBytes < MIB), `RUN_OUTPUT_MAX_BYTES must be at least ${MIB}`);
  require(!(
    settings.jobOutputMaxBytes < settings.runOutputMaxBytes
  ), 'JOB_OUTPUT_MAX_BYTES must be at least RUN_OUTPUT_MAX_BYTES');
  require(!(
    settings.jobOutputMaxBytes > MAX_JOB_OUTPUT_BYTES
  ), `JOB_OUTPUT_MAX_BYTES must be at most ${MAX_JOB_OUTPUT_BYTES}`);
  if (wrong.length > 0) throw new Error(`[vars] in wrangler.toml: ${wrong.join('; ')}`);
  return settings;
}
