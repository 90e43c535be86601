/** Filling in and sending the form of a new token. */
import { type ReadonlySignal, useSignal } from '@preact/signals';
import type { RefObject, TargetedSubmitEvent } from 'preact';
import { createToken, type TokenWithSecret } from '../../api/calls.ts';
import { type DialogRequest, useDialogRequest } from '../../components/dialog-request.tsx';
import { serverNow } from '../../state/clock.ts';
import { EMPTY_FORM, type FormField, readForm, type TokenForm } from './token-form.ts';

export interface TokenFormControl {
  readonly form: ReadonlySignal<TokenForm>;
  /** What has to be mended, by field. */
  readonly problems: ReadonlySignal<Partial<Record<FormField, string>>>;
  readonly request: DialogRequest;
  change(changes: Partial<TokenForm>): void;
  submit(event: TargetedSubmitEvent<HTMLFormElement>): void;
}

/**
 * @param element the form, with its fields named by `data-field`: the first that has to be mended gets the focus
 * @param initial what is filled in at first
 */
export function useTokenForm(
  element: RefObject<HTMLFormElement | null>,
  made: (token: TokenWithSecret) => void,
  initial = EMPTY_FORM,
): TokenFormControl {
  const form = useSignal<TokenForm>(initial);
  const problems = useSignal<Partial<Record<FormField, string>>>({});
  const request = useDialogRequest();
  return {
    form,
    problems,
    request,
    change: (changes) => {
      form.value = { ...form.value, ...changes };
      // What is being mended is not complained about while it is.
      problems.value = Object.fromEntries(Object.entries(problems.value).filter(([field]) => !(field in changes)));
    },
    submit: (event) => {
      event.preventDefault();
      if (request.isBusy.value) return;
      const read = readForm(form.value, serverNow());
      problems.value = read.ok ? {} : read.problems;
      if (read.ok) {
        void request.send(() => createToken(read.token), made);
        return;
      }
      const [field] = Object.keys(read.problems);
      element.current?.querySelector<HTMLElement>(`[data-field="${field}"]`)?.focus();
    },
  };
}
