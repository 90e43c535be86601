/** Every deadline that a deployment may set. */

/** The `[vars]` of wrangler.toml; each is a number of milliseconds. */
export interface SettingVars {
  readonly HEARTBEAT_MS: string;
  readonly WRAPPER_SILENCE_MS: string;
  readonly RECONNECT_CAP_MS: string;
  readonly SILENCE_MS: string;
  readonly PROBE_MS: string;
  readonly DISCONNECT_MS: string;
  readonly KILL_ANSWER_MS: string;
  readonly COMMAND_TTL_MS: string;
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
}

/**
 * The settings as numbers.
 *
 * @throws when one is not a positive whole number, or two do not go together: a deployment that would judge by nonsense
 *   must not come up
 */
export function readSettings(vars: SettingVars): Settings {
  const ms = (name: keyof SettingVars) => {
    const value = Number(vars[name]);
    if (!Number.isSafeInteger(value) || value <= 0) {
      throw new Error(
        `${name} in wrangler.toml is ${JSON.stringify(vars[name])}; it must be a whole number of milliseconds`,
      );
    }
    return value;
  };
  const settings = {
    heartbeatMs: ms('HEARTBEAT_MS'),
    wrapperSilenceMs: ms('WRAPPER_SILENCE_MS'),
    reconnectCapMs: ms('RECONNECT_CAP_MS'),
    silenceMs: ms('SILENCE_MS'),
    probeMs: ms('PROBE_MS'),
    disconnectMs: ms('DISCONNECT_MS'),
    killAnswerMs: ms('KILL_ANSWER_MS'),
    commandTtlMs: ms('COMMAND_TTL_MS'),
  };
  requireOrder(settings.silenceMs > settings.heartbeatMs, 'SILENCE_MS must be longer than HEARTBEAT_MS');
  requireOrder(settings.wrapperSilenceMs > settings.heartbeatMs, 'WRAPPER_SILENCE_MS must be longer than HEARTBEAT_MS');
  // Less would declare runs lost whose wrappers are still between two attempts.
  requireOrder(
    settings.disconnectMs >= 2 * settings.reconnectCapMs,
    'DISCONNECT_MS must be at least twice RECONNECT_CAP_MS',
  );
  return settings;
}

function requireOrder(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`wrangler.toml: ${rule}`);
}
