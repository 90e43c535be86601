import type { Run } from '#protocol/api';
import { Clock } from '../../components/time.tsx';
import type { KillProgress, OwnReason, Step } from '../../state/kill-progress.ts';
import { relatedTexts } from '../../state/related.ts';
import { FIND_HOLDERS, hasSurvivors, survivorsText } from '../../state/survivors.ts';
import { Countdown } from './countdown.tsx';

interface KillStepsProps {
  readonly run: Run;
  readonly progress: KillProgress;
}

/** How far the kill has come. A step that is not done yet is never drawn as one that is. */
export function KillSteps({ run, progress }: KillStepsProps) {
  return (
    <div class="kill-progress">
      <p class="kill-summary" aria-live="polite">
        {summaryOf(run, progress)}
      </p>
      <ol class="steps" aria-label="Progress of the kill">
        {progress.steps.map((step) => (
          <StepItem key={step.name} step={step} progress={progress} />
        ))}
      </ol>
      {progress.related.length > 0 && (
        <p class="aside kill-related">Related, not killed: {relatedTexts(progress.related)}.</p>
      )}
      {hasSurvivors(progress.survivors) && (
        <p class="problem" role="alert">
          Processes survived: {survivorsText(progress.survivors)}. Check on {run.machine}
          {progress.survivors.unnamed_survivors && (
            <>
              {' '}
              what still holds the output, as root: <code>{FIND_HOLDERS}</code>
            </>
          )}
          .
        </p>
      )}
    </div>
  );
}

/** Takes the place of the steps until they are known. */
export function KillStepsToCome() {
  return (
    <div class="kill-progress" aria-busy="true">
      <p class="kill-summary" role="status">
        Loading kill progress…
      </p>
      <div class="steps" />
    </div>
  );
}

function StepItem({ step, progress }: { readonly step: Step; readonly progress: KillProgress }) {
  return (
    <li class="step" data-step={step.name} data-step-state={step.state}>
      <span class="step-mark" aria-hidden="true" />
      <span class="step-name">
        {stepName(step, progress)}
        <span class="visually-hidden">
          {step.state === 'done' ? ', done' : step.state === 'skipped' ? ', not needed' : ', not yet'}
        </span>
      </span>
      <span class="step-time">
        <StepTime step={step} progress={progress} />
      </span>
    </li>
  );
}

function StepTime({ step, progress }: { readonly step: Step; readonly progress: KillProgress }) {
  if (step.at !== null) return <Clock at={step.at} />;
  if (step.name === 'kill' && progress.graceEndsAt !== null) return <Countdown endsAt={progress.graceEndsAt} />;
  if (step.state === 'skipped') return <>not needed</>;
  return null;
}

function stepName(step: Step, progress: KillProgress): string {
  const done = step.state === 'done';
  switch (step.name) {
    case 'requested':
      return 'Requested';
    case 'delivered':
      return progress.isUnanswered ? 'Sent, not confirmed yet' : 'Delivered';
    case 'term':
      return done ? `${progress.firstSignal} sent` : progress.firstSignal;
    case 'kill':
      return done ? 'SIGKILL sent' : 'SIGKILL';
    case 'gone':
      return done && hasSurvivors(progress.survivors) ? 'Some processes survived' : 'Ended';
  }
}

function summaryOf(run: Run, progress: KillProgress): string {
  const first = progress.kills[0];
  const own = progress.ownReason === null ? 'Killed' : OWN_REASONS[progress.ownReason];
  const who = first === undefined ? own : `Kill requested by ${first.by}`;
  switch (progress.outcome) {
    case 'under_way':
      return progress.waitingForMachine ? `${who}. Queued until the machine reconnects.` : `${who}.`;
    case 'gone':
      return `${who}. ${endText(run, progress)}${tooLateText(run, progress)}`;
    case 'refused':
      return progress.isAfterEnd ? `${who}. Nothing was running any more.` : `${who}. It had already ended.`;
    case 'lost':
      return run.final
        ? `${who}. Contact was lost before the kill finished.`
        : `${who}. Contact was lost before the kill finished; the run will be killed if it reconnects.`;
  }
}

function endText({ exit_code, wrapper }: Run, { survivors, related, isAfterEnd }: KillProgress): string {
  const what = hasSurvivors(survivors) ? 'Some processes survived' : 'Ended';
  // The run's own result has nothing to do with this kill.
  if (isAfterEnd && hasSurvivors(survivors)) return `${what}.`;
  if (isAfterEnd) return related.length > 0 ? 'Nothing else is left running.' : 'Nothing is left running.';
  const end = exit_code === null ? `${what}.` : `${what}, exit code ${exit_code}.`;
  return wrapper === 'saltpeter' ? `${end} Saltpeter’s wrapper doesn’t report surviving processes.` : end;
}

/** A kill requested after the end must not look as if it had done anything. */
function tooLateText({ ended_at }: Run, { kills, isAfterEnd }: KillProgress): string {
  const last = kills.at(-1);
  if (isAfterEnd || last === undefined || ended_at === null || kills.length === 1) return '';
  const isLate = Date.parse(last.requestedAt) > Date.parse(ended_at);
  return isLate ? ` ${last.by} requested another kill later: nothing was running any more.` : '';
}

const OWN_REASONS: Readonly<Record<OwnReason, string>> = {
  timeout: 'Timeout reached',
  idle_timeout: 'No output for too long',
  memory_limit: 'Memory limit reached',
  cpu_limit: 'CPU time limit reached',
  offline_limit: 'Offline for too long',
  local_signal: 'The wrapper received a signal on its machine',
};
