/** Machines, as their runs have shown them. */
import * as v from 'valibot';
import { Count, LastEnd, Run, RunEnd } from './api.ts';
import { Expectation } from './expectations.ts';
import { JobName, MachineName } from './names.ts';
import { Time } from './time.ts';
import { WrapperKind } from './wrapper-kind.ts';

/** How a job ended last on the machine. */
export const EndOfJob = v.object({ job: JobName, ...LastEnd.entries });

export const Machine = v.object({
  name: MachineName,
  is_connected: v.boolean(),
  last_seen_at: Time,
  running_count: Count,
  job_count: Count,
  bad_job_count: Count,
  last_bad_end: v.nullable(EndOfJob),
  wrapper: v.nullable(WrapperKind),
  wrapper_version: v.nullable(v.string()),
  os: v.nullable(v.string()),
  node: v.nullable(v.string()),
});
export type Machine = v.InferOutput<typeof Machine>;

export const MachineJob = v.object({
  job: JobName,
  last_end: v.nullable(LastEnd),
  recent_ends: v.array(RunEnd),
  expectation: v.nullable(Expectation),
});
export type MachineJob = v.InferOutput<typeof MachineJob>;

export const MachineList = v.object({ machines: v.array(Machine), next_cursor: v.nullable(v.string()) });
export const MachineBody = v.object({
  machine: Machine,
  running: v.array(Run),
  jobs: v.array(MachineJob),
});
export type MachineBody = v.InferOutput<typeof MachineBody>;
