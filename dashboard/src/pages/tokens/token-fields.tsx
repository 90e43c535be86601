/** The fields of a new token's form. Each says below itself what has to be mended. */
import type { RefObject } from 'preact';
import { SCOPES, type Scope } from '#protocol/api';
import { Field, Problem, TextField } from '../../components/form-fields.tsx';
import { SCOPE_MEANINGS } from './scope-labels.ts';
import type { Expiry, TokenForm } from './token-form.ts';

interface InputProps<Value> {
  readonly value: Value;
  readonly problem: string | undefined;
  change(to: Value): void;
}

export function NameField(props: InputProps<string> & { readonly input: RefObject<HTMLInputElement | null> }) {
  return (
    <TextField
      {...props}
      id="token-name"
      name="name"
      label="Name"
      maxLength={100}
      placeholder="web machines, night shift, …"
    />
  );
}

export function ScopesField({ value, problem, change }: InputProps<TokenForm['scopes']>) {
  const toggle = (scope: Scope) => change(SCOPES.filter((known) => value.includes(known) !== (known === scope)));
  return (
    <fieldset class="choices" aria-describedby="token-scopes-problem">
      <legend>Scopes</legend>
      {SCOPES.map((scope, index) => (
        <label key={scope} class="check">
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
      <Problem id="token-scopes" problem={problem} />
    </fieldset>
  );
}

interface GlobFieldProps extends InputProps<string> {
  readonly name: 'jobs' | 'machines';
  readonly label: string;
  readonly help: string;
}

/** Names, with `*` for anything. */
export function GlobField(props: GlobFieldProps) {
  return <TextField {...props} id={`token-${props.name}`} isGlob />;
}

export function ExpiryField({ value, problem, change }: InputProps<Expiry>) {
  return (
    <Field id="token-expiry" label="Expires" problem={problem}>
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
    <div class="field-columns">
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
