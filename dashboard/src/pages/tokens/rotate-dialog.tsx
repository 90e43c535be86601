/** A new secret for a token: at leisure, or because the old one leaked. */
import { type Signal, useSignal } from '@preact/signals';
import type { TargetedSubmitEvent } from 'preact';
import type { Token } from '#protocol/api';
import { rotateToken, type TokenWithSecret } from '../../api/calls.ts';
import { Dialog } from '../../components/dialog.tsx';
import { Refusal, useDialogRequest } from './dialog-request.tsx';
import type { Own } from './own-token.ts';
import { Ends, OwnWarning } from './secret-end.tsx';

const OLD_VALID = [
  { seconds: 3_600, label: 'an hour' },
  { seconds: 86_400, label: 'a day' },
  { seconds: 7 * 86_400, label: '7 days' },
  { seconds: 30 * 86_400, label: '30 days' },
] as const;

interface RotateDialogProps {
  readonly token: Token;
  readonly own: Own;
  close(): void;
  rotated(token: TokenWithSecret): void;
}

export function RotateDialog({ token, own, close, rotated }: RotateDialogProps) {
  const leaked = useSignal(false);
  const seconds = useSignal<number>(OLD_VALID[0].seconds);
  const request = useDialogRequest();
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    void request.send(() => rotateToken(token.id, leaked.value ? 0 : seconds.value), rotated);
  };
  return (
    <Dialog title={`A new secret for “${token.name}”?`} class="token-dialog" close={close}>
      <form class="token-form" onSubmit={submit}>
        <p>Its name and rights stay. You get a new secret, which is shown once.</p>
        <OldSecretChoice leaked={leaked} seconds={seconds} />
        {leaked.value && <Ends token={token} />}
        <OwnWarning own={own} ends={leaked.value ? 'now' : 'later'} />
        <Refusal consequence="There is no new secret" request={request} />
        <div class="dialog-actions">
          <button
            type="submit"
            class={leaked.value ? 'button danger' : 'button primary'}
            aria-disabled={request.isBusy.value}
          >
            {request.isBusy.value ? 'Asking…' : leaked.value ? 'End the old one, make a new one' : 'Make a new secret'}
          </button>
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface OldSecretChoiceProps {
  readonly leaked: Signal<boolean>;
  /** How long the old one goes on working, unless it leaked. */
  readonly seconds: Signal<number>;
}

function OldSecretChoice({ leaked, seconds }: OldSecretChoiceProps) {
  return (
    <fieldset class="scopes">
      <legend>And the old one?</legend>
      <label class="scope">
        <input
          type="radio"
          name="old"
          checked={!leaked.value}
          onChange={() => {
            leaked.value = false;
          }}
        />
        <span>It goes on working while the new one is put in place, and then ends</span>
      </label>
      {!leaked.value && <OldValidChoice seconds={seconds} />}
      <label class="scope">
        <input
          type="radio"
          name="old"
          checked={leaked.value}
          onChange={() => {
            leaked.value = true;
          }}
        />
        <span>
          <strong>It leaked:</strong> end it now, and everything opened with it
        </span>
      </label>
    </fieldset>
  );
}

function OldValidChoice({ seconds }: Pick<OldSecretChoiceProps, 'seconds'>) {
  return (
    <label class="old-valid">
      for{' '}
      <select
        aria-label="How long the old secret goes on working"
        value={seconds.value}
        onChange={(event) => {
          seconds.value = Number(event.currentTarget.value);
        }}
      >
        {OLD_VALID.map((choice) => (
          <option key={choice.seconds} value={choice.seconds}>
            {choice.label}
          </option>
        ))}
      </select>
    </label>
  );
}
