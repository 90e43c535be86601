/** RFC 9457 problem details: every error of the HTTPS API, each with a stable code. */
import * as v from 'valibot';

const STATUS = {
  bad_request: 400,
  bad_json: 400,
  bad_cursor: 400,
  upgrade_required: 426,
  unauthenticated: 401,
  token_expired: 401,
  token_rotated: 401,
  forbidden: 403,
  wrong_origin: 403,
  not_found: 404,
  unknown_job: 404,
  unknown_run: 404,
  unknown_kill: 404,
  unknown_token: 404,
  unknown_brake: 404,
  unknown_machine: 404,
  unknown_alert: 404,
  method_not_allowed: 405,
  run_ambiguous: 409,
  too_many_brakes: 409,
  too_many_alerts: 409,
  idempotency_conflict: 422,
  range_not_satisfiable: 416,
  too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  too_many_viewers: 429,
  internal: 500,
  unavailable: 503,
  busy: 503,
} as const;

export type ProblemCode = keyof typeof STATUS;
export const PROBLEM_CODES = Object.keys(STATUS) as ProblemCode[];

export function problemStatus(code: ProblemCode): (typeof STATUS)[ProblemCode] {
  return STATUS[code];
}

/** The body of an error, `application/problem+json`. `detail` says what failed and what to do. */
export const Problem = v.object({
  type: v.string(),
  title: v.string(),
  status: v.number(),
  code: v.string(),
  detail: v.string(),
  /** Identifies the call in the control plane's logs. */
  request_id: v.optional(v.string()),
  /** With `run_ambiguous`: the jobs that have a run with this id. */
  jobs: v.optional(v.array(v.string())),
  /** With `busy`: when to try again, in milliseconds from now. */
  retry_after_ms: v.optional(v.number()),
});
export type Problem = v.InferOutput<typeof Problem>;
