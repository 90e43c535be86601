/** Filling in a form and sending it. */
import { type ReadonlySignal, useSignal } from '@preact/signals';
import type { RefObject, TargetedSubmitEvent } from 'preact';
import { useRef } from 'preact/hooks';
import type { Result } from '../api/failure.ts';
import { type DialogRequest, useDialogRequest } from '../components/dialog-request.tsx';

/** What has to be mended, by field. */
export type Problems<Field extends string> = Partial<Record<Field, string>>;

export type ReadForm<Value, Field extends string> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problems: Problems<Field> };

interface FormOptions<Form, Value, Field extends string, Answer> {
  readonly initial: Form;
  read(form: Form): ReadForm<Value, Field>;
  send(value: Value, form: Form): Promise<Result<Answer>>;
  done(answer: Answer): void;
}

export interface FormControl<Form, Field extends string> {
  /** Of the form, whose fields are named by `data-field`: the first that has to be mended gets the focus. */
  readonly element: RefObject<HTMLFormElement | null>;
  readonly form: ReadonlySignal<Form>;
  readonly problems: ReadonlySignal<Problems<Field>>;
  readonly request: DialogRequest;
  change(changes: Partial<Form>): void;
  submit(event: TargetedSubmitEvent<HTMLFormElement>): void;
}

export function useForm<Form extends object, Value, Field extends string, Answer>({
  initial,
  read,
  send,
  done,
}: FormOptions<Form, Value, Field, Answer>): FormControl<Form, Field> {
  const element = useRef<HTMLFormElement | null>(null);
  const form = useSignal(initial);
  const problems = useSignal<Problems<Field>>({});
  const request = useDialogRequest();
  return {
    element,
    form,
    problems,
    request,
    change: (changes) => {
      form.value = { ...form.value, ...changes };
      problems.value = withoutChanged(problems.value, changes);
    },
    submit: (event) => {
      event.preventDefault();
      if (request.isBusy.value) return;
      const result = read(form.value);
      problems.value = result.ok ? {} : result.problems;
      if (result.ok) {
        void request.send(() => send(result.value, form.value), done);
        return;
      }
      const [field] = Object.keys(result.problems);
      element.current?.querySelector<HTMLElement>(`[data-field="${field}"]`)?.focus();
    },
  };
}

/** What is being mended is not complained about while it is. */
function withoutChanged<Field extends string>(problems: Problems<Field>, changes: object): Problems<Field> {
  // A field may be a part of what has changed, such as the URL of a channel.
  const changed = Object.entries(changes).flatMap(([field, to]) => [field, ...Object.keys(Object(to))]);
  return Object.fromEntries(Object.entries(problems).filter(([field]) => !changed.includes(field))) as Problems<Field>;
}
