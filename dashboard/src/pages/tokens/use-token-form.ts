/** Filling in and sending the form of a new token. */
import { createToken, type TokenWithSecret } from '../../api/calls.ts';
import { type FormControl, useForm } from '../../hooks/use-form.ts';
import { serverNow } from '../../state/clock.ts';
import { EMPTY_FORM, type FormField, readForm, type TokenForm } from './token-form.ts';

/** @param initial what is filled in at first */
export function useTokenForm(
  made: (token: TokenWithSecret) => void,
  initial = EMPTY_FORM,
): FormControl<TokenForm, FormField> {
  return useForm({ initial, read: (form) => readForm(form, serverNow()), send: createToken, done: made });
}
