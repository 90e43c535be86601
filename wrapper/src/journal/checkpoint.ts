/** A run's progress, for a successor: what a kill has done so far, and how the command exited, if it has. */
import * as v from 'valibot';
import { OWN_END_REASONS } from '#protocol/run-state';
import { AppliedKill, Killing } from '#protocol/wrapper-link';
import { NOT_ENDING } from '../kill/decide.ts';

const OWN_REASONS = [...OWN_END_REASONS, 'leftovers'] as const;
const Reason = v.picklist(['operator', ...OWN_REASONS]);
const AgeMs = v.number();
const listOf = <Schema extends v.GenericSchema>(schema: Schema) => v.pipe(v.array(schema), v.readonly());
const Pids = listOf(v.number());

const Stage = v.variant('kind', [
  v.object({ kind: v.literal('running') }),
  v.object({ kind: v.literal('exited') }),
  v.object({ kind: v.literal('term'), reason: Reason, killAt: AgeMs }),
  v.object({ kind: v.literal('kill'), reason: Reason, giveUpAt: AgeMs }),
  v.object({ kind: v.literal('gone'), reason: Reason, survivors: Pids, unnamedSurvivors: v.boolean() }),
]);

const Cause = v.variant('kind', [
  v.object({ kind: v.literal('operator'), kill: v.string() }),
  v.object({ kind: v.picklist(OWN_REASONS) }),
]);

const Termination = v.object({
  stage: Stage,
  sent: listOf(v.string()),
  heldUnseenSince: v.nullable(AgeMs),
  includesRelated: v.boolean(),
  progress: listOf(v.object({ cause: Cause, ...v.omit(AppliedKill, ['kill']).entries })),
});

const RawExit = v.variant('kind', [
  v.object({ kind: v.literal('exited'), code: v.number() }),
  v.object({ kind: v.literal('signaled'), signal: v.string(), signalNumber: v.number() }),
]);

export const RunCheckpoint = v.object({
  termination: Termination,
  /** How the command exited; null while it runs. */
  exit: v.nullable(RawExit),
  /** Steps of ending the run by the wrapper itself that may not have been reported. */
  unreported_steps: listOf(Killing),
});
export type RunCheckpoint = v.InferOutput<typeof RunCheckpoint>;

export const EMPTY_CHECKPOINT: RunCheckpoint = {
  termination: NOT_ENDING,
  exit: null,
  unreported_steps: [],
};
