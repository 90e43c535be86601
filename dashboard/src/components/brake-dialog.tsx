/** Sets a brake, or begins maintenance. */
import { useRef } from 'preact/hooks';
import type { NewBrake } from '#protocol/brakes';
import { matchesGlob } from '#protocol/glob';
import { isLive } from '#protocol/run-state';
import { createBrake } from '../api/brake-calls.ts';
import { newKey } from '../api/idempotency-key.ts';
import { countText } from '../format/quantity.ts';
import { useForm } from '../hooks/use-form.ts';
import { loadBrakes } from '../state/brakes.ts';
import { serverNow } from '../state/clock.ts';
import { openRuns, useFleet } from '../state/fleet.ts';
import { upsertKills } from '../state/kills.ts';
import { Dialog } from './dialog.tsx';
import { RequestFooter } from './dialog-request.tsx';
import { SelectField, TextField } from './form-fields.tsx';

export interface BrakeDialogProps {
  /** Names or globs to begin with. */
  readonly jobs: readonly string[];
  close(): void;
}

interface BrakeForm {
  readonly kill: boolean;
  /** Names or globs, separated by commas or spaces. */
  readonly jobs: string;
  readonly machines: string;
  readonly forMs: number;
  readonly reason: string;
}

interface Sent {
  readonly form: BrakeForm;
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

export function BrakeDialog({ jobs, close }: BrakeDialogProps) {
  // What it would kill is counted among the runs of all jobs.
  useFleet();
  const sent = useRef<Sent | null>(null);
  const { element, form, request, change, submit } = useForm({
    initial: { kill: true, jobs: jobs.join(', '), machines: '', forMs: HOUR_MS, reason: '' },
    read: (filled: BrakeForm) => ({ ok: true, value: filled }),
    send: (filled) => {
      // The same again if it had no answer: then it is one brake.
      if (sent.current?.form !== filled) sent.current = { form: filled, brake: brakeOf(filled), key: newKey() };
      return createBrake(sent.current.brake, sent.current.key);
    },
    done: ({ kills }) => {
      upsertKills(kills);
      void loadBrakes();
      close();
    },
  });
  const { kill } = form.value;
  const hit = kill ? countHit(form.value) : 0;
  return (
    <Dialog title={kill ? 'Set a brake' : 'Begin maintenance'} close={close}>
      <form ref={element} class="form" onSubmit={submit}>
        <KindChoice kill={kill} change={change} />
        <ScopeFields form={form.value} change={change} />
        <p aria-live="polite">{killsText(kill, hit)} It can be ended earlier at any time.</p>
        <RequestFooter
          request={request}
          consequence={kill ? 'Couldn’t set the brake' : 'Couldn’t begin maintenance'}
          label={submitText(kill, hit)}
          busyLabel={kill ? 'Setting the brake…' : 'Beginning…'}
          isDanger={kill}
          close={close}
        />
      </form>
    </Dialog>
  );
}

interface PartProps {
  change(changes: Partial<BrakeForm>): void;
}

function KindChoice({ kill, change }: PartProps & Pick<BrakeForm, 'kill'>) {
  return (
    <fieldset class="choices">
      <legend class="visually-hidden">Kind</legend>
      <label class="check">
        <input type="radio" name="kind" checked={kill} onChange={() => change({ kill: true })} />
        <span>
          <strong>Brake</strong>: kill what runs now, and every later run as soon as it connects
        </span>
      </label>
      <label class="check">
        <input type="radio" name="kind" checked={!kill} onChange={() => change({ kill: false })} />
        <span>
          <strong>Maintenance</strong>: runs that ask don’t start; others run without alerts
        </span>
      </label>
    </fieldset>
  );
}

function ScopeFields({ form, change }: PartProps & { readonly form: BrakeForm }) {
  const text = (name: 'jobs' | 'machines' | 'reason') => ({
    id: `brake-${name}`,
    name,
    value: form[name],
    change: (to: string) => change({ [name]: to }),
  });
  return (
    <div class="field-columns">
      <TextField {...text('jobs')} label="Jobs" placeholder="sync-*, backup" isRequired isGlob />
      <TextField {...text('machines')} label="Machines" placeholder="all" isGlob />
      <SelectField<number>
        id="brake-ends"
        label="Ends by itself after"
        value={form.forMs}
        options={DURATIONS}
        change={(forMs) => change({ forMs })}
      />
      <TextField {...text('reason')} label="Reason" placeholder="optional" maxLength={500} />
    </div>
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

function brakeOf({ kill, jobs, machines, forMs, reason }: BrakeForm): NewBrake {
  const until = new Date(serverNow() + forMs).toISOString();
  return { jobs: globsOf(jobs), machines: globsOf(machines), reason: reason.trim() || null, until, kill };
}

/** None: all. */
function globsOf(text: string): string[] {
  const globs = text.split(/[\s,]+/).filter((glob) => glob !== '');
  return globs.length === 0 ? ['*'] : globs;
}

/** How many runs it would kill at once. */
function countHit(form: BrakeForm): number {
  const [jobs, machines] = [globsOf(form.jobs), globsOf(form.machines)];
  return [...openRuns.value.values()].filter(
    ({ state, job, machine }) =>
      isLive(state) &&
      jobs.some((glob) => matchesGlob(glob, job)) &&
      machines.some((glob) => matchesGlob(glob, machine)),
  ).length;
}
