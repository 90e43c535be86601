/** The fields of a new token's form. Each says below itself what has to be mended. */
import type { ComponentChildren, RefObject } from 'preact';
import { SCOPES, type Scope } from '#protocol/api';
import { SCOPE_MEANINGS } from './scope-labels.ts';
import type { Expiry, FormField, TokenForm } from './token-form.ts';

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

interface InputProps<Value> {
  readonly value: Value;
  readonly problem: string | undefined;
  change(to: Value): void;
}

export function NameField({
  value,
  problem,
  change,
  input,
}: InputProps<string> & { readonly input: RefObject<HTMLInputElement | null> }) {
  return (
    <Field name="name" label="Name" problem={problem}>
      <input
        ref={input}
        id="token-name"
        data-field="name"
        value={value}
        maxLength={100}
        placeholder="web machines, night shift, …"
        autocomplete="off"
        aria-describedby="token-name-problem"
        aria-invalid={problem !== undefined}
        onInput={(event) => change(event.currentTarget.value)}
      />
    </Field>
  );
}

export function ScopesField({ value, problem, change }: InputProps<TokenForm['scopes']>) {
  const toggle = (scope: Scope) => change(SCOPES.filter((known) => value.includes(known) !== (known === scope)));
  return (
    <fieldset class="scopes" aria-describedby="token-scopes-problem">
      <legend>Scopes</legend>
      {SCOPES.map((scope, index) => (
        <label key={scope} class="scope">
          <input
            type="checkbox"
            data-field={index === 0 ? 'scopes' : undefined}
            checked={value.includes(scope)}
            onChange={() => toggle(scope)}
          />
          <span>
            <code>{scope}</code>
            <span class="help"> {SCOPE_MEANINGS[scope]}</span>
          </span>
        </label>
      ))}
      <Problem field="scopes" problem={problem} />
    </fieldset>
  );
}

interface GlobFieldProps extends InputProps<string> {
  readonly name: 'jobs' | 'machines';
  readonly label: string;
  readonly help: string;
}

/** Names, with `*` for anything. */
export function GlobField({ name, label, help, value, problem, change }: GlobFieldProps) {
  return (
    <Field name={name} label={label} help={help} problem={problem}>
      <input
        id={`token-${name}`}
        data-field={name}
        class="glob"
        value={value}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        aria-describedby={`token-${name}-problem`}
        aria-invalid={problem !== undefined}
        onInput={(event) => change(event.currentTarget.value)}
      />
    </Field>
  );
}

export function ExpiryField({ value, problem, change }: InputProps<Expiry>) {
  return (
    <Field name="expiry" label="Expires" problem={problem}>
      <ExpiryChoice expiry={value} change={change} />
    </Field>
  );
}

const PRESETS = [
  { days: 1, label: 'In 1 day' },
  { days: 7, label: 'In 7 days' },
  { days: 30, label: 'In 30 days' },
  { days: 90, label: 'In 90 days' },
  { days: 365, label: 'In 1 year' },
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
        <option value="never">Never</option>
        {PRESETS.map(({ days, label }) => (
          <option key={days} value={days}>
            {label}
          </option>
        ))}
        <option value="date">On a date…</option>
      </select>
      {expiry.kind === 'date' && (
        <input
          type="date"
          aria-label="Last day"
          aria-describedby="token-expiry-problem"
          value={expiry.date}
          onInput={(event) => change({ kind: 'date', date: event.currentTarget.value })}
        />
      )}
    </div>
  );
}
