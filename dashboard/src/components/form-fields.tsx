/** The fields of a form. Each says below itself what has to be mended. */
import type { ComponentChildren, RefObject } from 'preact';

interface FieldProps {
  /** Of the element that is filled in. What is wrong with it has the id `ID-problem`. */
  readonly id: string;
  readonly label: string;
  readonly help?: string | undefined;
  readonly problem?: string | undefined;
  readonly children: ComponentChildren;
}

export function Field({ id, label, help, problem, children }: FieldProps) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children}
      {help !== undefined && (
        <p id={`${id}-help`} class="help">
          {help}
        </p>
      )}
      <Problem id={id} problem={problem} />
    </div>
  );
}

export function Problem({ id, problem }: Pick<FieldProps, 'id' | 'problem'>) {
  return (
    <p id={`${id}-problem`} class="problem" role="alert">
      {problem}
    </p>
  );
}

interface TextFieldProps extends Omit<FieldProps, 'children'> {
  /** Its name in the form. */
  readonly name: string;
  readonly value: string;
  readonly placeholder?: string | undefined;
  readonly maxLength?: number;
  readonly isRequired?: boolean;
  /** Names, with `*` for anything. */
  readonly isGlob?: boolean;
  readonly isSecret?: boolean;
  readonly input?: RefObject<HTMLInputElement | null>;
  change(to: string): void;
}

export function TextField({
  name,
  value,
  placeholder,
  maxLength,
  isRequired = false,
  isGlob = false,
  isSecret = false,
  input,
  change,
  ...field
}: TextFieldProps) {
  const { id, help, problem } = field;
  return (
    <Field {...field}>
      <input
        {...(isSecret ? { type: 'password' as const } : { type: 'text' as const })}
        {...(input !== undefined && { ref: input })}
        {...(maxLength !== undefined && { maxLength })}
        id={id}
        required={isRequired}
        data-field={name}
        class={isGlob ? 'glob' : ''}
        value={value}
        placeholder={placeholder ?? ''}
        autocomplete={isSecret ? 'new-password' : 'off'}
        autocapitalize="off"
        spellcheck={false}
        aria-describedby={help === undefined ? `${id}-problem` : `${id}-help ${id}-problem`}
        aria-invalid={problem !== undefined}
        onInput={(event) => change(event.currentTarget.value)}
      />
    </Field>
  );
}

interface SelectFieldProps<Value extends string | number> extends Omit<FieldProps, 'children'> {
  readonly value: Value;
  readonly options: readonly (readonly [value: Value, label: string])[];
  readonly isFixed?: boolean;
  change(to: Value): void;
}

export function SelectField<Value extends string | number>({
  value,
  options,
  isFixed = false,
  change,
  ...field
}: SelectFieldProps<Value>) {
  return (
    <Field {...field}>
      <select
        id={field.id}
        value={value}
        disabled={isFixed}
        onChange={({ currentTarget: { selectedIndex } }) => change(options[selectedIndex]?.[0] ?? value)}
      >
        {options.map(([option, label]) => (
          <option key={option} value={option}>
            {label}
          </option>
        ))}
      </select>
    </Field>
  );
}
