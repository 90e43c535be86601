/** The one question before a kill: it says exactly what will be hit. */
import './kill-dialog.css';
import type { TargetedKeyboardEvent, TargetedSubmitEvent } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Run } from '#protocol/api';
import { MOST_LISTED } from '../api/calls.ts';
import {
  choiceText,
  graceOptions,
  isSigkill,
  type KillChoice,
  type OwnOptions,
  optionsOf,
  ownOptions,
  signalOptions,
} from '../format/kill-options.ts';
import { countText } from '../format/quantity.ts';
import { type KillScope, requestKill } from '../state/pending-kills.ts';
import { relatedTexts, sortLeft } from '../state/related.ts';
import { Dialog, DialogActions } from './dialog.tsx';

export interface KillDialogProps {
  readonly scope: KillScope;
  /** @param isConfirmed whether the kill was requested */
  close(isConfirmed: boolean): void;
}

export function KillDialog({ scope, close }: KillDialogProps) {
  // What is being killed already can only be hurried.
  const [choice, setChoice] = useState<KillChoice>({
    signal: isUnderWay(scope) ? 'SIGKILL' : 'own',
    graceSeconds: 'own',
    includeRelated: isNothingElseLeft(scope),
  });
  const [reason, setReason] = useState('');
  const yes = useRef<HTMLButtonElement | null>(null);
  useLayoutEffect(() => yes.current?.focus(), []);

  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const why = reason.trim() === '' ? {} : { reason: reason.trim() };
    requestKill(scope, { ...optionsOf(choice), ...why });
    close(true);
  };
  const onKey = (event: TargetedKeyboardEvent<HTMLFormElement>) => {
    // A held Enter would open the question and answer it.
    if (event.key === 'Enter' && event.repeat) event.preventDefault();
  };

  return (
    <Dialog title={titleOf(scope)} class="kill-dialog" close={() => close(false)}>
      <form class="form" onSubmit={submit} onKeyDown={onKey}>
        <What scope={scope} />
        <UnderWay runs={scope.runs} />
        <div class="field-columns">
          <KillOptionFields own={ownOptions(scope)} choice={choice} choose={setChoice} />
          <IncludeRelated runs={scope.runs} choice={choice} choose={setChoice} />
          <FixedOptions runs={scope.runs} />
          <label class="field whole-row">
            <span class="label">Reason (shown in the audit log)</span>
            <input
              value={reason}
              maxLength={500}
              placeholder="optional"
              autocomplete="off"
              onInput={(event) => setReason(event.currentTarget.value)}
            />
          </label>
        </div>
        <DialogActions close={() => close(false)}>
          <button ref={yes} type="submit" class="button danger">
            {scope.runs.length > 1 ? `Kill ${scope.runs.length} runs now` : 'Kill now'}
          </button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

/** Runs of which a kill can't be had otherwise. */
function FixedOptions({ runs }: Pick<KillScope, 'runs'>) {
  const fixed = runs.filter(({ wrapper }) => wrapper === 'saltpeter').length;
  if (fixed === 0) return null;
  const which = fixed === runs.length ? 'Saltpeter’s wrapper' : `Saltpeter’s wrapper, which ${fixed} of the runs have,`;
  return (
    <p class="whole-row">{which} always sends SIGTERM, and SIGKILL after 5s. Other options have no effect there.</p>
  );
}

interface KillOptionProps {
  readonly own: OwnOptions;
  readonly choice: KillChoice;
  choose(choice: KillChoice): void;
}

/** How they are ended: as they were started to be, or otherwise. */
function KillOptionFields({ own, choice, choose }: KillOptionProps) {
  const signals = signalOptions(own);
  const graces = graceOptions(own);
  return (
    <>
      <label class="field">
        <span class="label">First signal</span>
        <select
          value={choice.signal}
          onChange={({ currentTarget: { selectedIndex } }) =>
            choose({ ...choice, signal: signals[selectedIndex]?.value ?? 'own' })
          }
        >
          {signals.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span class="label">Grace period before SIGKILL</span>
        <select
          value={choice.graceSeconds}
          disabled={isSigkill(choice, own)}
          onChange={({ currentTarget: { selectedIndex } }) =>
            choose({ ...choice, graceSeconds: graces[selectedIndex]?.value ?? 'own' })
          }
        >
          {graces.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <p class="whole-row" aria-live="polite">
        {choiceText(choice, own)}
      </p>
    </>
  );
}

interface IncludeRelatedProps extends Omit<KillOptionProps, 'own'> {
  readonly runs: readonly Run[];
}

/** What is not proven to be the runs' own, or asks to be left alone, is ended by those alone who say so. */
function IncludeRelated({ runs, choice, choose }: IncludeRelatedProps) {
  const related = runs.flatMap(({ left_running }) => sortLeft(left_running).related);
  return (
    <label class="whole-row check">
      <input
        type="checkbox"
        checked={choice.includeRelated}
        onChange={({ currentTarget: { checked } }) => choose({ ...choice, includeRelated: checked })}
      />
      <span>
        {related.length === 0
          ? 'Also kill related processes and those with LEASH_KEEP=1'
          : `Also kill related processes: ${relatedTexts(related)}`}
      </span>
    </label>
  );
}

/** Of runs that are over nothing may be left but what a kill leaves alone, unless it is included. */
function isNothingElseLeft({ runs }: KillScope): boolean {
  return runs.length > 0 && runs.every((run) => run.final && sortLeft(run.left_running).own.length === 0);
}

function titleOf(scope: KillScope): string {
  const [first] = scope.runs;
  const kill = isUnderWay(scope) ? 'Force kill' : 'Kill';
  if (scope.kind === 'job') return `${kill} all runs of ${scope.job}?`;
  if (scope.runs.length === 1 && first?.final) return `Kill what ${first.job} left running on ${first.machine}?`;
  return scope.runs.length === 1 && first !== undefined
    ? `${kill} ${first.job} on ${first.machine}?`
    : `${kill} ${scope.runs.length} runs?`;
}

function isUnderWay({ runs }: KillScope): boolean {
  return runs.length > 0 && runs.every(({ state }) => state === 'killing');
}

function What({ scope }: { readonly scope: KillScope }) {
  const [only] = scope.runs;
  if (scope.kind === 'runs' && scope.runs.length === 1 && only !== undefined) return <WhatOne run={only} />;
  const machines = new Set(scope.runs.map(({ machine }) => machine)).size;
  const jobs = new Set(scope.runs.map(({ job }) => job)).size;
  // Not all of them are known here when their list was cut.
  const mayBeMore = scope.kind === 'job' && scope.runs.length >= MOST_LISTED;
  const away = scope.runs.filter(({ connected }) => !connected).length;
  return (
    <>
      <p>
        Kills {mayBeMore && 'at least '}
        <strong>{countText(scope.runs.length, 'run')}</strong>
        {scope.kind === 'job' ? (
          <>
            {' '}
            of <strong>{scope.job}</strong>
          </>
        ) : (
          jobs > 1 && <> of {countText(jobs, 'job')}</>
        )}{' '}
        on {countText(machines, 'machine')}, including all child processes.
        {scope.kind === 'job' && ' Runs that started earlier and reconnect within 10 minutes will be killed too.'}
        {away === 1 && ' 1 of them is disconnected and will be killed when it reconnects.'}
        {away > 1 && ` ${away} of them are disconnected and will be killed when they reconnect.`}
      </p>
      <Hit runs={scope.runs} />
    </>
  );
}

function UnderWay({ runs }: { readonly runs: readonly Run[] }) {
  const killing = runs.filter(({ state }) => state === 'killing').length;
  if (killing === 0) return null;
  return (
    <p>
      {killing === runs.length ? 'Already' : `${killing} of them ${killing === 1 ? 'is' : 'are'} already`} being killed.
      You can shorten the grace period, not extend it.
    </p>
  );
}

const KILLED_ON_RECONNECT = ' The machine is disconnected; the kill is carried out when it reconnects.';

function WhatOne({ run }: { readonly run: Run }) {
  if (run.final) return <WhatIsLeft run={run} />;
  return (
    <p>
      Kills <strong>{run.job}</strong> on <strong class="unbroken">{run.machine}</strong>
      {run.pid !== null && (
        <>
          {' '}
          (PID <strong>{run.pid}</strong>)
        </>
      )}{' '}
      and all its child processes.
      {!run.connected && KILLED_ON_RECONNECT}
    </p>
  );
}

/** The run is over, and stays as it ended. */
function WhatIsLeft({ run }: { readonly run: Run }) {
  const { own } = sortLeft(run.left_running);
  return (
    <p>
      Kills what <strong>{run.job}</strong> left running on <strong class="unbroken">{run.machine}</strong>
      {own.length > 0 && (
        <>
          {' '}
          (PID <strong>{own.map(({ pid }) => pid).join(', ')}</strong>)
        </>
      )}
      . The result of the run doesn’t change.
      {!run.connected && KILLED_ON_RECONNECT}
    </p>
  );
}

/** All of them, by job: what is not in this list is not hit. */
function Hit({ runs }: { readonly runs: readonly Run[] }) {
  const byJob = Map.groupBy(runs, ({ job }) => job);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard
    <section class="hit" aria-label="Runs to be killed" tabIndex={0}>
      {[...byJob].map(([job, ofJob]) => (
        <div key={job}>
          <strong>{job}</strong>
          <ul>
            {ofJob.map((run) => (
              <li key={run.id}>
                {run.machine}
                {run.pid !== null && <span class="aside"> PID {run.pid}</span>}
                {!run.connected && <span class="aside"> disconnected</span>}
              </li>
            ))}
          </ul>
        </div>
      ))}
    </section>
  );
}
