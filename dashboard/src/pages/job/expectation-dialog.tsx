/** The dialog that sets when runs are expected. */
import { useSignal } from '@preact/signals';
import type { TargetedSubmitEvent } from 'preact';
import type { Expectation } from '#protocol/expectations';
import { putExpectation } from '../../api/expectation-calls.ts';
import { Dialog } from '../../components/dialog.tsx';
import { Refusal, useDialogRequest } from '../../components/dialog-request.tsx';
import { type ExpectationForm, formOf, type Problems, readForm } from './expectation-form.ts';

interface ExpectationDialogProps {
  readonly job: string;
  readonly machines: readonly string[];
  /** Null: a new one. */
  readonly edited: Expectation | null;
  close(): void;
  saved(): void;
}

const KINDS = [
  ['every', 'At intervals'],
  ['schedule', 'By a cron expression'],
  ['none', 'At any time'],
] as const;

export function ExpectationDialog({ job, machines, edited, close, saved }: ExpectationDialogProps) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const form = useSignal<ExpectationForm>(formOf(edited?.machine ?? null, edited, zone));
  const problems = useSignal<Problems>({});
  const request = useDialogRequest();
  const change = (to: Partial<ExpectationForm>) => {
    form.value = { ...form.value, ...to };
    problems.value = {};
  };
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const read = readForm(form.value);
    problems.value = read.problems;
    if (Object.keys(read.problems).length > 0) return;
    const machine = form.value.machine === '' ? null : form.value.machine;
    void request.send(
      () => putExpectation(job, machine, read.expected),
      () => {
        saved();
        close();
      },
    );
  };
  const { machine, kind } = form.value;
  const field = { form: form.value, problems: problems.value, change };
  return (
    <Dialog title={edited === null ? 'Expect runs' : 'Edit expectation'} class="expectation-dialog" close={close}>
      <form class="expectation-form" noValidate onSubmit={submit}>
        <div class="field">
          <label for="expected-machine">On</label>
          <select
            id="expected-machine"
            value={machine}
            disabled={edited !== null}
            onChange={(event) => change({ machine: event.currentTarget.value })}
          >
            <option value="">any machine</option>
            {[...new Set([...machines, machine].filter((name) => name !== ''))].map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </div>
        <div class="field">
          <label for="expected-kind">Runs start</label>
          <select
            id="expected-kind"
            value={kind}
            onChange={(event) =>
              change({ kind: KINDS.find(([name]) => name === event.currentTarget.value)?.[0] ?? kind })
            }
          >
            {KINDS.map(([name, label]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
        </div>
        {kind === 'every' && (
          <TextField {...field} name="every" label="Every" help="From start to start, such as 15m or 1d." />
        )}
        {kind === 'schedule' && (
          <>
            <TextField
              {...field}
              name="schedule"
              label="Cron expression"
              help="Five fields, such as 0 3 * * *, or @daily."
            />
            <TextField {...field} name="zone" label="Time zone" help="Such as Europe/Berlin." />
          </>
        )}
        {kind !== 'none' && (
          <TextField
            {...field}
            name="lateAfter"
            label="Late after"
            help="Empty: a tenth of the interval, from 1m to 1h."
          />
        )}
        <TextField {...field} name="slowAfter" label="Slow after" help="How long a run may take. Empty: any time." />
        <Refusal consequence="Couldn’t save it" request={request} />
        <div class="dialog-actions">
          <button type="submit" class="button primary" aria-disabled={request.isBusy.value}>
            {request.isBusy.value ? 'Saving…' : 'Save'}
          </button>
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface TextFieldProps {
  readonly name: 'every' | 'schedule' | 'zone' | 'lateAfter' | 'slowAfter';
  readonly label: string;
  readonly help: string;
  readonly form: ExpectationForm;
  readonly problems: Problems;
  change(to: Partial<ExpectationForm>): void;
}

function TextField({ name, label, help, form, problems, change }: TextFieldProps) {
  const id = `expected-${name}`;
  const problem = problems[name];
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        value={form[name]}
        autocomplete="off"
        spellcheck={false}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-help`}
        onInput={(event) => change({ [name]: event.currentTarget.value })}
      />
      <p id={`${id}-help`} class={problem === undefined ? 'help' : 'problem'}>
        {problem ?? help}
      </p>
    </div>
  );
}
