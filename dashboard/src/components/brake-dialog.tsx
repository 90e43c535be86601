/** Sets a brake, or begins maintenance. */
import type { TargetedSubmitEvent } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { Run } from '#protocol/api';
import type { NewBrake } from '#protocol/brakes';
import { matchesGlob } from '#protocol/glob';
import { isLive } from '#protocol/run-state';
import { createBrake } from '../api/brake-calls.ts';
import { newKey } from '../api/idempotency-key.ts';
import { countText } from '../format/quantity.ts';
import { loadBrakes } from '../state/brakes.ts';
import { serverNow } from '../state/clock.ts';
import { openRuns, useFleet } from '../state/fleet.ts';
import { upsertKills } from '../state/kills.ts';
import { Dialog } from './dialog.tsx';
import { Refusal, useDialogRequest } from './dialog-request.tsx';

export interface BrakeDialogProps {
  /** Names or globs to begin with. */
  readonly jobs: readonly string[];
  close(): void;
}

interface Sent {
  readonly content: string;
  readonly brake: NewBrake;
  readonly key: string;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DURATIONS = [
  [30 * MINUTE_MS, '30 minutes'],
  [HOUR_MS, '1 hour'],
  [2 * HOUR_MS, '2 hours'],
  [4 * HOUR_MS, '4 hours'],
  [8 * HOUR_MS, '8 hours'],
  [24 * HOUR_MS, '1 day'],
  [7 * 24 * HOUR_MS, '7 days'],
  [30 * 24 * HOUR_MS, '30 days'],
] as const;

export function BrakeDialog({ jobs: first, close }: BrakeDialogProps) {
  // What it would kill is counted among the runs of all jobs.
  useFleet();
  const request = useDialogRequest();
  const sent = useRef<Sent | null>(null);
  const [kill, setKill] = useState(true);
  const [jobs, setJobs] = useState(first.join(', '));
  const [machines, setMachines] = useState('');
  const [forMs, setForMs] = useState<number>(HOUR_MS);
  const [reason, setReason] = useState('');
  const globs = { jobs: globsOf(jobs), machines: globsOf(machines) };
  const hit = kill ? [...openRuns.value.values()].filter((run) => isHit(run, globs)).length : 0;
  const isBusy = request.isBusy.value;

  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const why = reason.trim() === '' ? null : reason.trim();
    const content = JSON.stringify([globs, why, forMs, kill]);
    // The same again if it had no answer: then it is one brake.
    if (sent.current?.content !== content) {
      const until = new Date(serverNow() + forMs).toISOString();
      sent.current = { content, key: newKey(), brake: { ...globs, reason: why, until, kill } };
    }
    const { brake, key } = sent.current;
    void request.send(
      () => createBrake(brake, key),
      ({ kills }) => {
        upsertKills(kills);
        void loadBrakes();
        close();
      },
    );
  };
  return (
    <Dialog title={kill ? 'Set a brake' : 'Begin maintenance'} class="brake-dialog" close={close}>
      <form class="brake-form" onSubmit={submit}>
        <fieldset class="whole-row">
          <legend class="visually-hidden">Kind</legend>
          <label>
            <input type="radio" name="kind" checked={kill} onChange={() => setKill(true)} />
            <span>
              <strong>Brake</strong>: kill what runs now, and every later run as soon as it connects
            </span>
          </label>
          <label>
            <input type="radio" name="kind" checked={!kill} onChange={() => setKill(false)} />
            <span>
              <strong>Maintenance</strong>: runs that ask don’t start; others run without alerts
            </span>
          </label>
        </fieldset>
        <label>
          Jobs
          <input
            value={jobs}
            required
            placeholder="sync-*, backup"
            autocomplete="off"
            onInput={(event) => setJobs(event.currentTarget.value)}
          />
        </label>
        <label>
          Machines
          <input
            value={machines}
            placeholder="all"
            autocomplete="off"
            onInput={(event) => setMachines(event.currentTarget.value)}
          />
        </label>
        <label>
          Ends by itself after
          <select
            value={forMs}
            onChange={({ currentTarget: { selectedIndex } }) => setForMs(DURATIONS[selectedIndex]?.[0] ?? HOUR_MS)}
          >
            {DURATIONS.map(([ms, label]) => (
              <option key={ms} value={ms}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label>
          Reason
          <input
            value={reason}
            maxLength={500}
            placeholder="optional"
            autocomplete="off"
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </label>
        <p class="whole-row" aria-live="polite">
          {killsText(kill, hit)} It can be ended earlier at any time.
        </p>
        <div class="whole-row">
          <Refusal consequence={kill ? 'Couldn’t set the brake' : 'Couldn’t begin maintenance'} request={request} />
        </div>
        <div class="dialog-actions whole-row">
          <button type="submit" class={kill ? 'button danger' : 'button primary'} aria-disabled={isBusy}>
            {submitText(kill, hit)}
          </button>
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function submitText(kill: boolean, hit: number): string {
  if (!kill) return 'Begin maintenance';
  return hit === 0 ? 'Set brake' : `Set brake, kill ${countText(hit, 'run')} now`;
}

function killsText(kill: boolean, hit: number): string {
  if (!kill) return 'Kills nothing.';
  return hit === 0 ? 'Kills nothing now.' : `Kills ${countText(hit, 'run')} now.`;
}

/** None: all. */
function globsOf(text: string): string[] {
  const globs = text.split(/[\s,]+/).filter((glob) => glob !== '');
  return globs.length === 0 ? ['*'] : globs;
}

function isHit(
  run: Run,
  { jobs, machines }: { readonly jobs: readonly string[]; readonly machines: readonly string[] },
) {
  return (
    isLive(run.state) &&
    jobs.some((glob) => matchesGlob(glob, run.job)) &&
    machines.some((glob) => matchesGlob(glob, run.machine))
  );
}
