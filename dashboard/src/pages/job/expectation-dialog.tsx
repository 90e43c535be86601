/** The dialog that sets when runs are expected. */
import type { Expectation } from '#protocol/expectations';
import { putExpectation } from '../../api/expectation-calls.ts';
import { Dialog } from '../../components/dialog.tsx';
import { RequestFooter } from '../../components/dialog-request.tsx';
import { SelectField, TextField } from '../../components/form-fields.tsx';
import { useForm } from '../../hooks/use-form.ts';
import { type ExpectationForm, formOf, readForm } from './expectation-form.ts';

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
  const { element, form, problems, request, change, submit } = useForm({
    initial: formOf(edited?.machine ?? null, edited, zone),
    read: readForm,
    send: (expected, { machine }: ExpectationForm) => putExpectation(job, machine === '' ? null : machine, expected),
    done: () => {
      saved();
      close();
    },
  });
  const { machine, kind } = form.value;
  const text = (name: 'every' | 'schedule' | 'zone' | 'lateAfter' | 'slowAfter') => ({
    id: `expected-${name}`,
    name,
    value: form.value[name],
    problem: problems.value[name],
    change: (to: string) => change({ [name]: to }),
  });
  return (
    <Dialog title={edited === null ? 'Expect runs' : 'Edit expectation'} close={close}>
      <form ref={element} class="form" noValidate onSubmit={submit}>
        <SelectField
          id="expected-machine"
          label="On"
          value={machine}
          options={[
            ['', 'any machine'],
            ...[...new Set([...machines, machine])].filter((name) => name !== '').map((name) => [name, name] as const),
          ]}
          isFixed={edited !== null}
          change={(to) => change({ machine: to })}
        />
        <SelectField
          id="expected-kind"
          label="Runs start"
          value={kind}
          options={KINDS}
          change={(to) => change({ kind: to })}
        />
        {kind === 'every' && (
          <TextField {...text('every')} label="Every" help="From start to start, such as 15m or 1d." />
        )}
        {kind === 'schedule' && (
          <>
            <TextField
              {...text('schedule')}
              label="Cron expression"
              help="Five fields, such as 0 3 * * *, or @daily."
            />
            <TextField {...text('zone')} label="Time zone" help="Such as Europe/Berlin." />
          </>
        )}
        {kind !== 'none' && (
          <TextField
            {...text('lateAfter')}
            label="Late after"
            help="How much later a run may start. Empty: a tenth of the interval, from 1m to 1h."
          />
        )}
        <TextField {...text('slowAfter')} label="Slow after" help="A run that takes longer is slow. Empty: none is." />
        <RequestFooter
          request={request}
          consequence="Couldn’t save it"
          label="Save"
          busyLabel="Saving…"
          close={close}
        />
      </form>
    </Dialog>
  );
}
