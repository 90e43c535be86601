/** Audit entries in words, after who did it. */
import * as v from 'valibot';
import type { AuditEntry } from '#protocol/api';
import { scopeText } from '#protocol/brakes';
import { KillInclude, KillSignal } from '#protocol/kill';
import { killManner, killScope } from './kill-text.ts';

const nullable = <Schema extends v.GenericSchema>(schema: Schema) => v.optional(v.nullable(schema), null);

const KillDetail = v.object({
  run: nullable(v.string()),
  instance: nullable(v.string()),
  machine: nullable(v.string()),
  signal: nullable(KillSignal),
  grace_ms: nullable(v.number()),
  include: nullable(KillInclude),
  reason: nullable(v.string()),
});
const BrakeDetail = v.object({
  jobs: v.array(v.string()),
  machines: v.array(v.string()),
  reason: nullable(v.string()),
  until: nullable(v.string()),
  kill: v.boolean(),
});
const CreatedDetail = v.object({
  name: v.string(),
  scopes: v.array(v.string()),
  jobs: v.string(),
  machines: v.optional(v.string(), '*'),
});
const RotatedDetail = v.object({ old_ends_at: v.string() });
const MachineDetail = v.object({ machine: nullable(v.string()) });
const RefusedDetail = v.object({ code: v.string() });
const ConflictDetail = v.object({ run: v.string(), machine: v.string(), first_job: v.string() });

type Entry = Pick<AuditEntry, 'subject' | 'detail' | 'count'> & { readonly action: string };

/**
 * `requested a kill of backup, all runs (…)`, and how often.
 *
 * @param runText shortens the id of a run where room is scarce
 */
export function auditText(entry: Entry, runText = (id: string) => id): string {
  const text = deedText(entry, runText);
  return entry.count > 1 ? `${text}, ${entry.count} times` : text;
}

function deedText({ action, subject, detail }: Entry, runText: (id: string) => string): string {
  switch (action) {
    case 'kill': {
      const kill = read(KillDetail, detail);
      if (kill === null) return `requested a kill of ${subject}`;
      const scope = killScope({ ...kill, run: kill.run === null ? null : runText(kill.run) });
      const reason = kill.reason === null ? '' : `: ${kill.reason}`;
      return `requested a kill of ${subject}, ${scope} (${killManner(kill)})${reason}`;
    }
    case 'brake_created':
      return `set ${brakeText(subject, detail)}`;
    case 'brake_ended':
      return `ended ${brakeText(subject, detail)}`;
    case 'token_created': {
      const token = read(CreatedDetail, detail);
      if (token === null) return `created token ${subject}`;
      return `created token ${token.name} (${token.scopes.join(', ')}; ${reachText(token)}), id ${subject}`;
    }
    case 'token_rotated': {
      const rotated = read(RotatedDetail, detail);
      return rotated === null
        ? `rotated token ${subject}`
        : `rotated token ${subject}, old secret valid until ${rotated.old_ends_at}`;
    }
    case 'token_deleted':
      return `deleted token ${subject}`;
    case 'signed_in':
      return 'signed in to the dashboard';
    case 'signed_out':
      return 'signed out of the dashboard';
    case 'expectation_set':
      return `set when runs of ${expectedOf(subject, detail)} are expected`;
    case 'expectation_removed':
      return `removed what was expected of ${expectedOf(subject, detail)}`;
    case 'refused':
      return `was denied ${subject} (${read(RefusedDetail, detail)?.code ?? 'for various reasons'})`;
    case 'run_conflict': {
      const conflict = read(ConflictDetail, detail);
      if (conflict === null) return `reported runs with ids of other jobs’ runs: ${subject}`;
      return `reported run ${runText(conflict.run)} on ${conflict.machine} of job ${subject}, an id that ${conflict.first_job} had already used`;
    }
    default:
      return `${action.replaceAll('_', ' ')} ${subject}`;
  }
}

function brakeText(id: string, detail: unknown): string {
  const brake = read(BrakeDetail, detail);
  if (brake === null) return `brake ${id}`;
  const until = brake.until === null ? '' : ` until ${brake.until}`;
  const reason = brake.reason === null ? '' : `: ${brake.reason}`;
  return `${brake.kill ? 'a brake on' : 'maintenance of'} ${scopeText(brake)}${until}${reason}`;
}

function expectedOf(job: string, detail: unknown): string {
  const machine = read(MachineDetail, detail)?.machine ?? null;
  return machine === null ? job : `${job} on ${machine}`;
}

function reachText({ jobs, machines }: v.InferOutput<typeof CreatedDetail>): string {
  const jobsText = jobs === '*' ? 'all jobs' : `jobs ${jobs}`;
  return machines === '*' ? jobsText : `${jobsText} on machines ${machines}`;
}

function read<Schema extends v.GenericSchema>(schema: Schema, detail: unknown): v.InferOutput<Schema> | null {
  const result = v.safeParse(schema, detail);
  return result.success ? result.output : null;
}
