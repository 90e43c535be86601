/** The dialog that creates an alert, or changes one. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren, RefObject, TargetedInputEvent, TargetedSubmitEvent } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { ALERT_KINDS, type Alert, CHANNEL_KINDS, type ChannelKind } from '#protocol/alerts';
import { changeAlert, createAlert } from '../../api/alert-calls.ts';
import { Dialog } from '../../components/dialog.tsx';
import { Refusal, useDialogRequest } from '../../components/dialog-request.tsx';
import {
  type AlertForm,
  type ChannelForm,
  EMPTY_FORM,
  type FormField,
  formOf,
  type Problems,
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

export function AlertDialog({ alert, close, done }: AlertDialogProps) {
  const element = useRef<HTMLFormElement | null>(null);
  const first = useRef<HTMLInputElement | null>(null);
  useLayoutEffect(() => first.current?.focus(), []);
  const form = useSignal<AlertForm>(alert === null ? EMPTY_FORM : formOf(alert));
  const problems = useSignal<Problems>({});
  const request = useDialogRequest();
  const change = (changes: Partial<AlertForm>) => {
    form.value = { ...form.value, ...changes };
    problems.value = {};
  };
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (alert === null) {
      const read = readNew(form.value);
      if (read.ok) return void request.send(() => createAlert(read.value), done);
      problems.value = read.problems;
    } else {
      const read = readChanges(form.value);
      if (read.ok) return void request.send(() => changeAlert(alert.id, read.value), done);
      problems.value = read.problems;
    }
    const [field] = Object.keys(problems.value);
    element.current?.querySelector<HTMLElement>(`[data-field="${field}"]`)?.focus();
  };
  const isBusy = request.isBusy.value;
  const text = (name: 'name' | 'jobs' | 'machines' | 'tags') => ({
    name,
    value: form.value[name],
    problem: problems.value[name],
    change: (value: string) => change({ [name]: value }),
  });
  return (
    <Dialog title={alert === null ? 'Create alert' : `Edit “${alert.name}”`} class="alert-dialog" close={close}>
      <form ref={element} class="alert-form" noValidate onSubmit={submit}>
        <TextField {...text('name')} label="Name" placeholder="night shift" input={first} />
        <KindsField form={form.value} problem={problems.value.on} change={change} />
        <div class="alert-fields">
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
        <Refusal
          consequence={alert === null ? 'Couldn’t create the alert' : 'Couldn’t change the alert'}
          request={request}
        />
        <div class="dialog-actions">
          <button type="submit" class="button primary" aria-disabled={isBusy}>
            {alert === null ? (isBusy ? 'Creating…' : 'Create alert') : isBusy ? 'Saving…' : 'Save'}
          </button>
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface PartProps {
  readonly form: AlertForm;
  change(changes: Partial<AlertForm>): void;
}

function KindsField({ form, problem, change }: PartProps & { readonly problem: string | undefined }) {
  return (
    <fieldset class="kinds" aria-describedby="alert-on-problem">
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
      <Problem field="on" problem={problem} />
    </fieldset>
  );
}

function ChannelFields({
  alert,
  form,
  problems,
  change,
}: PartProps & { readonly alert: Alert | null; readonly problems: Problems }) {
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
    <div class="alert-fields">
      <div class="field">
        <label for="alert-channel">Channel</label>
        <select
          id="alert-channel"
          value={channel.kind}
          onChange={(event) => set({ kind: event.currentTarget.value as ChannelKind })}
        >
          {CHANNEL_KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {CHANNEL_LABELS[kind].name}
            </option>
          ))}
        </select>
      </div>
      {labels.url !== null && (
        <TextField
          {...{ name: 'url', ...labels.url, value: channel.url, problem: problems.url }}
          change={(url) => set({ url })}
        />
      )}
      {labels.secret !== null && (
        <TextField
          {...{ name: 'secret', ...labels.secret, value: channel.secret, problem: problems.secret, isSecret: true }}
          change={(secret) => set({ secret })}
        />
      )}
    </div>
  );
}

interface TextFieldProps {
  readonly name: FormField;
  readonly label: string;
  readonly help?: string;
  readonly placeholder?: string;
  readonly value: string;
  readonly problem: string | undefined;
  readonly isGlob?: boolean;
  readonly isSecret?: boolean;
  readonly input?: RefObject<HTMLInputElement | null>;
  change(to: string): void;
}

function TextField({
  name,
  label,
  help,
  placeholder,
  value,
  problem,
  isGlob,
  isSecret,
  input,
  change,
}: TextFieldProps) {
  const common = {
    ...(input !== undefined && { ref: input }),
    id: `alert-${name}`,
    'data-field': name,
    value,
    class: isGlob === true ? 'glob' : '',
    placeholder: placeholder ?? '',
    autocomplete: isSecret === true ? 'new-password' : 'off',
    autocapitalize: 'off',
    spellcheck: false,
    'aria-describedby': `alert-${name}-problem`,
    'aria-invalid': problem !== undefined,
    onInput: (event: TargetedInputEvent<HTMLInputElement>) => change(event.currentTarget.value),
  } as const;
  return (
    <div class="field">
      <label for={`alert-${name}`}>{label}</label>
      {isSecret === true ? <input {...common} type="password" /> : <input {...common} type="text" />}
      {help !== undefined && <p class="help">{help}</p>}
      <Problem field={name} problem={problem} />
    </div>
  );
}

function Problem({ field, problem }: { readonly field: FormField; readonly problem: ComponentChildren }) {
  return (
    <p id={`alert-${field}-problem`} class="problem" role="alert">
      {problem}
    </p>
  );
}
