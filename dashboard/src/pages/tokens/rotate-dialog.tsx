/** A new secret for a token: at leisure, or because the old one leaked. */
import { type Signal, useSignal } from '@preact/signals';
import type { TargetedSubmitEvent } from 'preact';
import type { Token } from '#protocol/api';
import { rotateToken, type TokenWithSecret } from '../../api/calls.ts';
import { Dialog } from '../../components/dialog.tsx';
import { RequestFooter, useDialogRequest } from '../../components/dialog-request.tsx';
import type { Own } from './own-token.ts';
import { Ends, OwnWarning } from './secret-end.tsx';

const OLD_VALID = [
  { seconds: 3_600, label: '1 hour' },
  { seconds: 86_400, label: '1 day' },
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
    <Dialog title={`Rotate “${token.name}”?`} class="wide" close={close}>
      <form class="form" onSubmit={submit}>
        <p>You get a new secret, shown once. Name and scopes stay the same.</p>
        <OldSecretChoice leaked={leaked} seconds={seconds} />
        {leaked.value && <Ends token={token} />}
        <OwnWarning own={own} ends={leaked.value ? 'now' : 'later'} />
        <RequestFooter
          request={request}
          consequence="Couldn’t rotate the token"
          label={leaked.value ? 'Revoke and rotate now' : 'Rotate secret'}
          busyLabel="Rotating…"
          isDanger={leaked.value}
          close={close}
        />
      </form>
    </Dialog>
  );
}

interface OldSecretChoiceProps {
  readonly leaked: Signal<boolean>;
  /** How long the old secret stays valid, unless it leaked. */
  readonly seconds: Signal<number>;
}

function OldSecretChoice({ leaked, seconds }: OldSecretChoiceProps) {
  return (
    <fieldset class="choices">
      <legend>Old secret</legend>
      <label class="check">
        <input
          type="radio"
          name="old"
          checked={!leaked.value}
          onChange={() => {
            leaked.value = false;
          }}
        />
        <span>Keep it valid for a while, then revoke it</span>
      </label>
      {!leaked.value && <OldValidChoice seconds={seconds} />}
      <label class="check">
        <input
          type="radio"
          name="old"
          checked={leaked.value}
          onChange={() => {
            leaked.value = true;
          }}
        />
        <span>
          <strong>It leaked:</strong> revoke it now and end its sessions
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
        aria-label="How long the old secret stays valid"
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
