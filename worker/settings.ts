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
  readonly COMMAND_TTL_MS: string;
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
  readonly commandTtlMs: number;
  readonly lostTargetMs: number;
  readonly runOutputMaxBytes: number;
  readonly jobOutputMaxBytes: number;
  readonly runDays: number;
  readonly eventDays: number;
  readonly auditDays: number;
}

/** An object's storage ends at 10 GB. What is beyond this stays free for runs, events and commands. */
const MAX_JOB_OUTPUT_BYTES = 9_000_000_000;

export function daysInMs(days: number): number {
  return days * 24 * 60 * 60 * 1000;
}

/**
 * The settings as numbers.
 *
 * @throws when one is not a positive whole number, or two do not go together: a deployment that would judge by nonsense
 *   must not come up
 */
export function readSettings(vars: SettingVars): Settings {
  const number = (name: keyof SettingVars) => {
    const value = Number(vars[name]);
    if (!Number.isSafeInteger(value) || value <= 0) {
      throw new Error(
        `${name} in wrangler.toml is ${JSON.stringify(vars[name])}; it must be a whole number above 0, in the unit that its name ends in`,
      );
    }
    return value;
  };
  const settings = {
    heartbeatMs: number('HEARTBEAT_MS'),
    wrapperSilenceMs: number('WRAPPER_SILENCE_MS'),
    reconnectCapMs: number('RECONNECT_CAP_MS'),
    silenceMs: number('SILENCE_MS'),
    probeMs: number('PROBE_MS'),
    disconnectMs: number('DISCONNECT_MS'),
    killAnswerMs: number('KILL_ANSWER_MS'),
    commandTtlMs: number('COMMAND_TTL_MS'),
    lostTargetMs: number('LOST_TARGET_MS'),
    runOutputMaxBytes: number('RUN_OUTPUT_MAX_BYTES'),
    jobOutputMaxBytes: number('JOB_OUTPUT_MAX_BYTES'),
    runDays: number('RUN_DAYS'),
    eventDays: number('EVENT_DAYS'),
    auditDays: number('AUDIT_DAYS'),
  };
  requireOrder(settings.silenceMs > settings.heartbeatMs, 'SILENCE_MS must be longer than HEARTBEAT_MS');
  requireOrder(settings.wrapperSilenceMs > settings.heartbeatMs, 'WRAPPER_SILENCE_MS must be longer than HEARTBEAT_MS');
  // Less would declare runs lost whose wrappers are still between two attempts.
  requireOrder(
    settings.disconnectMs >= 2 * settings.reconnectCapMs,
    'DISCONNECT_MS must be at least twice RECONNECT_CAP_MS',
  );
  // A frame is 256 KiB: less would leave no room for a tail beside the head.
  requireOrder(settings.runOutputMaxBytes >= MIB, `RUN_OUTPUT_MAX_BYTES must be at least ${MIB}`);
  requireOrder(
    settings.jobOutputMaxBytes >= settings.runOutputMaxBytes,
    'JOB_OUTPUT_MAX_BYTES must be at least RUN_OUTPUT_MAX_BYTES',
  );
  requireOrder(
    settings.jobOutputMaxBytes <= MAX_JOB_OUTPUT_BYTES,
    `JOB_OUTPUT_MAX_BYTES must be at most ${MAX_JOB_OUTPUT_BYTES}`,
  );
  return settings;
}

function requireOrder(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`wrangler.toml: ${rule}`);
}
