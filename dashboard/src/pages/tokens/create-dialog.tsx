/** A new token, as narrow as can be. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren, TargetedSubmitEvent } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { SCOPES, type Scope } from '#protocol/api';
import { createToken, type TokenWithSecret } from '../../api/calls.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { serverNow } from '../../state/clock.ts';
import { SCOPE_MEANINGS } from './scope-words.ts';
import { EMPTY_FORM, type Expiry, type FormField, mayNameMachines, readForm, type TokenForm } from './token-form.ts';

interface CreateDialogProps {
  close(): void;
  made(token: TokenWithSecret): void;
}

export function CreateDialog({ close, made }: CreateDialogProps) {
  const form = useSignal<TokenForm>(EMPTY_FORM);
  const problems = useSignal<Partial<Record<FormField, string>>>({});
  const refusal = useSignal<string | null>(null);
  const busy = useSignal(false);
  const element = useRef<HTMLFormElement | null>(null);
  const first = useRef<HTMLInputElement | null>(null);
  useLayoutEffect(() => first.current?.focus(), []);

  const change = (changes: Partial<TokenForm>) => {
    form.value = { ...form.value, ...changes };
    // What is being mended is not complained about while it is.
    problems.value = Object.fromEntries(Object.entries(problems.value).filter(([field]) => !(field in changes)));
  };
  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (busy.value) return;
    const read = readForm(form.value, serverNow());
    problems.value = read.ok ? {} : read.problems;
    if (!read.ok) {
      const [field] = Object.keys(read.problems);
      element.current?.querySelector<HTMLElement>(`[data-field="${field}"]`)?.focus();
      return;
    }
    busy.value = true;
    refusal.value = null;
    const answer = await createToken(read.token);
    busy.value = false;
    if (answer.ok) made(answer.value);
    else refusal.value = answer.failure.detail;
  };
  const { name, scopes, jobs, machines, expiry } = form.value;
  const toggle = (scope: Scope) =>
    change({ scopes: SCOPES.filter((known) => scopes.includes(known) !== (known === scope)) });

  return (
    <Dialog title="Make a token" class="token-dialog" close={close}>
      <form ref={element} class="token-form" noValidate onSubmit={(event) => void submit(event)}>
        <Field name="name" label="Name" problem={problems.value.name}>
          <input
            ref={first}
            id="token-name"
            data-field="name"
            value={name}
            maxLength={100}
            placeholder="web machines, night shift, …"
            autocomplete="off"
            aria-describedby="token-name-problem"
            aria-invalid={problems.value.name !== undefined}
            onInput={(event) => change({ name: event.currentTarget.value })}
          />
        </Field>
        <fieldset class="scopes" aria-describedby="token-scopes-problem">
          <legend>May</legend>
          {SCOPES.map((scope, index) => (
            <label key={scope} class="scope">
              <input
                type="checkbox"
                data-field={index === 0 ? 'scopes' : undefined}
                checked={scopes.includes(scope)}
                onChange={() => toggle(scope)}
              />
              <span>
                <code>{scope}</code>
                <span class="help"> {SCOPE_MEANINGS[scope]}</span>
              </span>
            </label>
          ))}
          <Problem field="scopes" problem={problems.value.scopes} />
        </fieldset>
        <Field
          name="jobs"
          label="For jobs"
          help="* stands for anything: web-* is every job whose name begins with web-."
          problem={problems.value.jobs}
        >
          <Glob
            name="jobs"
            value={jobs}
            isBad={problems.value.jobs !== undefined}
            change={(to) => change({ jobs: to })}
          />
        </Field>
        {mayNameMachines(form.value) ? (
          <Field
            name="machines"
            label="On machines"
            help="From where it may be used: the name of one machine, or web-*."
            problem={problems.value.machines}
          >
            <Glob
              name="machines"
              value={machines}
              isBad={problems.value.machines !== undefined}
              change={(to) => change({ machines: to })}
            />
          </Field>
        ) : (
          <p class="help">A token that may run, and nothing else, can be narrowed to machines as well.</p>
        )}
        <Field name="expiry" label="Ends" problem={problems.value.expiry}>
          <ExpiryChoice expiry={expiry} change={(to) => change({ expiry: to })} />
        </Field>
        {refusal.value !== null && (
          <p class="problem" role="alert">
            No token was made: {refusal.value}
          </p>
        )}
        <div class="dialog-actions">
          <button type="submit" class="button primary" aria-disabled={busy.value}>
            {busy.value ? 'Making it…' : 'Make the token'}
          </button>
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface FieldProps {
  readonly name: FormField;
  readonly label: string;
  readonly help?: string;
  readonly problem: string | undefined;
  readonly children: ComponentChildren;
}

function Field({ name, label, help, problem, children }: FieldProps) {
  return (
    <div class="field">
      <label for={`token-${name}`}>{label}</label>
      {children}
      {help !== undefined && <p class="help">{help}</p>}
      <Problem field={name} problem={problem} />
    </div>
  );
}

function Problem({ field, problem }: { readonly field: FormField; readonly problem: string | undefined }) {
  return (
    <p id={`token-${field}-problem`} class="problem" role="alert">
      {problem}
    </p>
  );
}

interface GlobProps {
  readonly name: 'jobs' | 'machines';
  readonly value: string;
  readonly isBad: boolean;
  change(to: string): void;
}

function Glob({ name, value, isBad, change }: GlobProps) {
  return (
    <input
      id={`token-${name}`}
      data-field={name}
      class="glob"
      value={value}
      autocomplete="off"
      autocapitalize="off"
      spellcheck={false}
      aria-describedby={`token-${name}-problem`}
      aria-invalid={isBad}
      onInput={(event) => change(event.currentTarget.value)}
    />
  );
}

const PRESETS = [
  { days: 1, label: 'in a day' },
  { days: 7, label: 'in 7 days' },
  { days: 30, label: 'in 30 days' },
  { days: 90, label: 'in 90 days' },
  { days: 365, label: 'in a year' },
] as const;

function ExpiryChoice({ expiry, change }: { readonly expiry: Expiry; change(to: Expiry): void }) {
  const choose = (value: string) => {
    if (value === 'never') change({ kind: 'never' });
    else if (value === 'date') change({ kind: 'date', date: '' });
    else change({ kind: 'days', days: Number(value) });
  };
  return (
    <div class="expiry">
      <select
        id="token-expiry"
        data-field="expiry"
        aria-describedby="token-expiry-problem"
        value={expiry.kind === 'days' ? String(expiry.days) : expiry.kind}
        onChange={(event) => choose(event.currentTarget.value)}
      >
        <option value="never">never, until it is deleted</option>
        {PRESETS.map(({ days, label }) => (
          <option key={days} value={days}>
            {label}
          </option>
        ))}
        <option value="date">at the end of a day…</option>
      </select>
      {expiry.kind === 'date' && (
        <input
          type="date"
          aria-label="The last day"
          aria-describedby="token-expiry-problem"
          value={expiry.date}
          onInput={(event) => change({ kind: 'date', date: event.currentTarget.value })}
        />
      )}
    </div>
  );
}
