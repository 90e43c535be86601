/** The dialog that creates an alert, or changes one. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { ALERT_KINDS, type Alert, CHANNEL_KINDS } from '#protocol/alerts';
import { changeAlert, createAlert } from '../../api/alert-calls.ts';
import type { Result } from '../../api/failure.ts';
import { Dialog } from '../../components/dialog.tsx';
import { RequestFooter } from '../../components/dialog-request.tsx';
import { Problem, SelectField, TextField } from '../../components/form-fields.tsx';
import { type Problems, type ReadForm, useForm } from '../../hooks/use-form.ts';
import {
  type AlertForm,
  type ChannelForm,
  EMPTY_FORM,
  type FormField,
  formOf,
  readChanges,
  readNew,
  toggled,
} from './alert-form.ts';
import { CHANNEL_LABELS, KIND_LABELS } from './alert-labels.ts';

interface AlertDialogProps {
  /** Null: a new one. */
  readonly alert: Alert | null;
  close(): void;
  done(alert: Alert): void;
}

type Send = () => Promise<Result<Alert>>;

export function AlertDialog({ alert, close, done }: AlertDialogProps) {
  const first = useRef<HTMLInputElement | null>(null);
  useLayoutEffect(() => first.current?.focus(), []);
  const isNew = alert === null;
  const { element, form, problems, request, change, submit } = useForm<AlertForm, Send, FormField, Alert>({
    initial: isNew ? EMPTY_FORM : formOf(alert),
    read: (filled) =>
      isNew
        ? sending(readNew(filled), createAlert)
        : sending(readChanges(filled), (changes) => changeAlert(alert.id, changes)),
    send: (send) => send(),
    done,
  });
  const text = (name: 'name' | 'jobs' | 'machines' | 'tags') => ({
    id: `alert-${name}`,
    name,
    value: form.value[name],
    problem: problems.value[name],
    change: (value: string) => change({ [name]: value }),
  });
  return (
    <Dialog title={isNew ? 'Create alert' : `Edit “${alert.name}”`} class="wide" close={close}>
      <form ref={element} class="form" noValidate onSubmit={submit}>
        <TextField {...text('name')} label="Name" placeholder="night shift" input={first} />
        <KindsField form={form.value} problems={problems.value} change={change} />
        <div class="field-columns">
          <TextField {...text('jobs')} label="Jobs" help="Names or globs, with commas: web-*, etl." isGlob />
          <TextField {...text('machines')} label="Machines" isGlob />
          <TextField {...text('tags')} label="Tags" help="Any of them; empty: all runs." isGlob />
        </div>
        <ChannelFields alert={alert} form={form.value} problems={problems.value} change={change} />
        <label class="check">
          <input
            type="checkbox"
            checked={form.value.killLink}
            onChange={(event) => change({ killLink: event.currentTarget.checked })}
          />
          <span>
            Kill link
            <span class="help">
              {' '}
              Whoever reads the message can kill the run: once, within a day, without signing in.
            </span>
          </span>
        </label>
        <RequestFooter
          request={request}
          consequence={isNew ? 'Couldn’t create the alert' : 'Couldn’t change the alert'}
          label={isNew ? 'Create alert' : 'Save'}
          busyLabel={isNew ? 'Creating…' : 'Saving…'}
          close={close}
        />
      </form>
    </Dialog>
  );
}

/** What is read decides what is sent. */
function sending<Value>(
  read: ReadForm<Value, FormField>,
  send: (value: Value) => Promise<Result<Alert>>,
): ReadForm<Send, FormField> {
  return read.ok ? { ok: true, value: () => send(read.value) } : read;
}

interface PartProps {
  readonly form: AlertForm;
  readonly problems: Problems<FormField>;
  change(changes: Partial<AlertForm>): void;
}

function KindsField({ form, problems, change }: PartProps) {
  return (
    <fieldset class="choices field-columns" aria-describedby="alert-on-problem">
      <legend>Notify about</legend>
      {ALERT_KINDS.map((kind, index) => (
        <label key={kind} class="check">
          <input
            type="checkbox"
            data-field={index === 0 ? 'on' : undefined}
            checked={form.on.includes(kind)}
            onChange={() => change({ on: toggled(form.on, kind) })}
          />
          <span>{KIND_LABELS[kind]}</span>
        </label>
      ))}
      <Problem id="alert-on" problem={problems.on} />
    </fieldset>
  );
}

const CHANNELS = CHANNEL_KINDS.map((kind) => [kind, CHANNEL_LABELS[kind].name] as const);

function ChannelFields({ alert, form, problems, change }: PartProps & Pick<AlertDialogProps, 'alert'>) {
  const { channel } = form;
  if (channel === null) {
    return (
      <div class="field">
        <p class="label">Channel</p>
        <p>
          {alert !== null && CHANNEL_LABELS[alert.channel.kind].name} <code>{alert?.channel.url}</code>{' '}
          <button
            type="button"
            class="button quiet"
            onClick={() => change({ channel: { kind: alert?.channel.kind ?? 'webhook', url: '', secret: '' } })}
          >
            Replace channel
          </button>
        </p>
      </div>
    );
  }
  const labels = CHANNEL_LABELS[channel.kind];
  const set = (changes: Partial<ChannelForm>) => change({ channel: { ...channel, ...changes } });
  return (
    <div class="field-columns">
      <SelectField
        id="alert-channel"
        label="Channel"
        value={channel.kind}
        options={CHANNELS}
        change={(kind) => set({ kind })}
      />
      {labels.url !== null && (
        <TextField
          {...labels.url}
          id="alert-url"
          name="url"
          value={channel.url}
          problem={problems.url}
          change={(url) => set({ url })}
        />
      )}
      {labels.secret !== null && (
        <TextField
          {...labels.secret}
          id="alert-secret"
          name="secret"
          isSecret
          value={channel.secret}
          problem={problems.secret}
          change={(secret) => set({ secret })}
        />
      )}
    </div>
  );
}
