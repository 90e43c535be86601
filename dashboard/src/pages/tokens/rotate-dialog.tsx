/** A new secret for a token: at leisure, or because the old one leaked. */
import { useSignal } from '@preact/signals';
import type { TargetedSubmitEvent } from 'preact';
import type { Token } from '#protocol/api';
import { rotateToken, type TokenWithSecret } from '../../api/calls.ts';
import { Dialog } from '../../parts/dialog.tsx';
import type { Own } from './own-token.ts';

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
  const refusal = useSignal<string | null>(null);
  const busy = useSignal(false);
  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    refusal.value = null;
    const answer = await rotateToken(token.id, leaked.value ? 0 : seconds.value);
    busy.value = false;
    if (answer.ok) rotated(answer.value);
    else refusal.value = answer.failure.detail;
  };
  return (
    <Dialog title={`A new secret for “${token.name}”?`} class="token-dialog" close={close}>
      <form class="token-form" onSubmit={(event) => void submit(event)}>
        <p>Its name and rights stay. You get a new secret, which is shown once.</p>
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
          {!leaked.value && (
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
          )}
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
        {leaked.value && <Ends token={token} />}
        <OwnWarning own={own} ends={leaked.value ? 'now' : 'later'} />
        {refusal.value !== null && (
          <p class="problem" role="alert">
            There is no new secret: {refusal.value}
          </p>
        )}
        <div class="dialog-actions">
          <button type="submit" class={leaked.value ? 'button danger' : 'button primary'} aria-disabled={busy.value}>
            {busy.value ? 'Asking…' : leaked.value ? 'End the old one, make a new one' : 'Make a new secret'}
          </button>
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** What ends with a secret, by what the token may do. */
export function Ends({ token }: { readonly token: Token }) {
  const mayRun = token.scopes.some((scope) => scope === 'run' || scope === 'admin');
  const maySee = token.scopes.some((scope) => scope !== 'run');
  return (
    <ul class="ends-with">
      {maySee && <li>Sessions of this page that were opened with it end, wherever they are open.</li>}
      {mayRun && (
        <li>
          Wrappers lose their link. Their jobs run on, but count as lost, and can’t be stopped from here until a valid
          token is on the machine.
        </li>
      )}
      <li>Scripts and monitors that call with it are refused.</li>
    </ul>
  );
}

export function OwnWarning({ own, ends }: { readonly own: Own; readonly ends: 'now' | 'later' }) {
  if (own === 'no') return null;
  return (
    <p class="own-warning">
      <strong>
        {own === 'yes'
          ? 'This is the token that you are signed in with.'
          : 'You may be signed in with this very token.'}
      </strong>{' '}
      {own === 'yes' ? 'You' : 'If so, you'}{' '}
      {ends === 'now'
        ? 'are signed out by this.'
        : 'are signed out when the old secret ends: sign in with the new one before.'}
    </p>
  );
}
