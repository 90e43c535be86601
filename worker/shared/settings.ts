/** The settings of a deployment: the `[vars]` of wrangler.toml, which says what each is for. */
import * as v from 'valibot';
import { MIB } from '#protocol/limits';

/** A Durable Object stores at most 10 GB. The rest is for runs, events and kills. */
const MAX_JOB_OUTPUT_BYTES = 9_000_000_000;

/** The size of a D1 database on a paid plan. */
const MAX_D1_BYTES = 10_000_000_000;

/** Cloudflare's location hints; empty: an object is placed where it is first called from. */
const D1_LOCATIONS = ['wnam', 'enam', 'sam', 'weur', 'eeur', 'apac', 'apac-ne', 'apac-se', 'oc', 'afr', 'me'] as const;

/** Where Durable Objects, D1 and R2 can all be restricted to. */
export const JURISDICTIONS = ['eu', 'us', 'fedramp'] as const;

function emptyOrOneOf<const Names extends readonly string[]>(names: Names) {
  return v.picklist(['', ...names], `must be empty or one of ${names.join(', ')}`);
}

function amount(unit: 'milliseconds' | 'bytes' | 'days', least: 0 | 1 = 1) {
  const isAmount = (text: string) => text.trim() !== '' && Number.isSafeInteger(Number(text)) && Number(text) >= least;
  const message = `must be a whole number of ${unit}${least === 1 ? ' above 0' : ''}`;
  return v.pipe(v.string(message), v.check(isAmount, message), v.transform(Number));
}

const Vars = v.object({
  HEARTBEAT_MS: amount('milliseconds'),
  WRAPPER_SILENCE_MS: amount('milliseconds'),
  RECONNECT_CAP_MS: amount('milliseconds'),
  SILENCE_MS: amount('milliseconds'),
  PROBE_MS: amount('milliseconds'),
  DISCONNECT_MS: amount('milliseconds'),
  KILL_ANSWER_MS: amount('milliseconds'),
  KILL_TTL_MS: amount('milliseconds'),
  LOST_TARGET_MS: amount('milliseconds'),
  TOKEN_TRUST_MS: amount('milliseconds', 0),
  OUTPUT_INTERVAL_MS: amount('milliseconds'),
  INDEX_DELAY_MS: amount('milliseconds', 0),
  ALERT_GROUP_MS: amount('milliseconds'),
  // A frame is 256 KiB: a smaller limit would leave no room for the newest output after the oldest.
  RUN_OUTPUT_MAX_BYTES: v.pipe(amount('bytes'), v.minValue(MIB, `must be at least ${MIB}`)),
  JOB_OUTPUT_MAX_BYTES: v.pipe(
    amount('bytes'),
    v.maxValue(MAX_JOB_OUTPUT_BYTES, `must be at most ${MAX_JOB_OUTPUT_BYTES}`),
  ),
  D1_LOCATION: emptyOrOneOf(D1_LOCATIONS),
  LEASH_JURISDICTION: emptyOrOneOf(JURISDICTIONS),
  D1_MAX_BYTES: v.pipe(amount('bytes'), v.maxValue(MAX_D1_BYTES, `must be at most ${MAX_D1_BYTES}`)),
  RUN_DAYS: amount('days'),
  EVENT_DAYS: amount('days'),
  AUDIT_DAYS: amount('days'),
  ALLOW_PRIVATE_ALERTS: emptyOrOneOf(['true']),
  ALERT_EMAIL_FROM: v.union([v.literal(''), v.pipe(v.string(), v.rfcEmail())], 'must be empty or an email address'),
});
export type SettingVars = Readonly<v.InferInput<typeof Vars>>;

const SettingsSchema = v.pipe(
  Vars,
  // Rules about two settings, checked if both are valid themselves.
  v.forward(
    v.partialCheck(
      [['SILENCE_MS'], ['HEARTBEAT_MS']],
      (vars) => vars.SILENCE_MS > vars.HEARTBEAT_MS,
      'must be longer than HEARTBEAT_MS',
    ),
    ['SILENCE_MS'],
  ),
  v.forward(
    v.partialCheck(
      [['WRAPPER_SILENCE_MS'], ['HEARTBEAT_MS']],
      (vars) => vars.WRAPPER_SILENCE_MS > vars.HEARTBEAT_MS,
      'must be longer than HEARTBEAT_MS',
    ),
    ['WRAPPER_SILENCE_MS'],
  ),
  // A shorter deadline would declare runs lost whose wrappers are between two attempts.
  v.forward(
    v.partialCheck(
      [['DISCONNECT_MS'], ['RECONNECT_CAP_MS']],
      (vars) => vars.DISCONNECT_MS >= 2 * vars.RECONNECT_CAP_MS,
      'must be at least twice RECONNECT_CAP_MS',
    ),
    ['DISCONNECT_MS'],
  ),
  v.forward(
    v.partialCheck(
      [['JOB_OUTPUT_MAX_BYTES'], ['RUN_OUTPUT_MAX_BYTES']],
      (vars) => vars.JOB_OUTPUT_MAX_BYTES >= vars.RUN_OUTPUT_MAX_BYTES,
      'must be at least RUN_OUTPUT_MAX_BYTES',
    ),
    ['JOB_OUTPUT_MAX_BYTES'],
  ),
  v.transform((vars) => ({
    heartbeatMs: vars.HEARTBEAT_MS,
    wrapperSilenceMs: vars.WRAPPER_SILENCE_MS,
    reconnectCapMs: vars.RECONNECT_CAP_MS,
    silenceMs: vars.SILENCE_MS,
    probeMs: vars.PROBE_MS,
    disconnectMs: vars.DISCONNECT_MS,
    killAnswerMs: vars.KILL_ANSWER_MS,
    killTtlMs: vars.KILL_TTL_MS,
    lostTargetMs: vars.LOST_TARGET_MS,
    tokenTrustMs: vars.TOKEN_TRUST_MS,
    outputIntervalMs: vars.OUTPUT_INTERVAL_MS,
    indexDelayMs: vars.INDEX_DELAY_MS,
    alertGroupMs: vars.ALERT_GROUP_MS,
    runOutputMaxBytes: vars.RUN_OUTPUT_MAX_BYTES,
    jobOutputMaxBytes: vars.JOB_OUTPUT_MAX_BYTES,
    d1MaxBytes: vars.D1_MAX_BYTES,
    runDays: vars.RUN_DAYS,
    eventDays: vars.EVENT_DAYS,
    auditDays: vars.AUDIT_DAYS,
    allowsPrivateAlerts: vars.ALLOW_PRIVATE_ALERTS === 'true',
    alertEmailFrom: vars.ALERT_EMAIL_FROM,
  })),
);
export type Settings = Readonly<v.InferOutput<typeof SettingsSchema>>;

export function daysInMs(days: number): number {
  return days * 24 * 60 * 60 * 1000;
}

/**
 * The settings as numbers.
 *
 * @throws with all invalid settings in its message: a deployment with wrong deadlines must not start
 */
export function readSettings(vars: SettingVars): Settings {
  const parsed = v.safeParse(SettingsSchema, vars);
  if (parsed.success) return parsed.output;
  const wrong = parsed.issues.map((issue) => {
    const name = String(issue.path?.[0].key);
    const value: unknown = Reflect.get(vars, name);
    return value === undefined ? `${name} is missing` : `${name} ${issue.message}, not ${JSON.stringify(value)}`;
  });
  throw new Error(`[vars] in wrangler.toml: ${wrong.join('; ')}`);
}
