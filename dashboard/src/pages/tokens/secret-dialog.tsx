/** A secret, the one time that it can be seen. */
import './tokens.css';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { TokenWithSecret } from '../../api/calls.ts';
import { CopyButton } from '../../components/copy-button.tsx';
import { Dialog } from '../../components/dialog.tsx';
import { overlay } from '../../components/overlay.tsx';
import { type UsageLine, usageLines } from './usage-lines.ts';

/**
 * Shows it over everything: the session may end by the very rotation that it comes from, and the way back in the browser
 * must not take it away.
 */
export function showSecret(made: TokenWithSecret, occasion: 'made' | 'rotated'): void {
  const close = () => {
    overlay.value = null;
  };
  overlay.value = <SecretDialog made={made} occasion={occasion} close={close} />;
}

interface SecretDialogProps {
  readonly made: TokenWithSecret;
  readonly occasion: 'made' | 'rotated';
  close(): void;
}

function SecretDialog({ made: { token, secret }, occasion, close }: SecretDialogProps) {
  const isStored = useSignal(false);
  const isWarned = useSignal(false);
  useEffect(() => {
    const hold = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', hold);
    return () => removeEventListener('beforeunload', hold);
  }, []);
  const leave = () => {
    if (isStored.value) close();
    else isWarned.value = true;
  };
  return (
    <Dialog
      title={occasion === 'made' ? `Token “${token.name}”` : `New secret for “${token.name}”`}
      class="wide secret-dialog"
      close={leave}
    >
      <p>
        <strong>Copy it now – you won’t see it again.</strong>
      </p>
      <div class="command-box">
        <code data-secret>{secret}</code>
        <CopyButton text={secret} label="Copy the secret" />
      </div>
      {usageLines(token, secret, location.origin, occasion).map((line) => (
        <Usage key={line.title} line={line} />
      ))}
      {token.scopes.some((scope) => scope === 'read' || scope === 'admin') && (
        <p class="help">To use this dashboard with it, paste it on the sign-in page.</p>
      )}
      <div class="secret-end">
        <label class="check stored">
          <input
            type="checkbox"
            checked={isStored.value}
            onChange={(event) => {
              isStored.value = event.currentTarget.checked;
              isWarned.value = false;
            }}
          />
          I’ve saved it
        </label>
        <p class="problem" role="alert">
          {isWarned.value && 'Confirm you’ve saved it; it can’t be shown again.'}
        </p>
        <div class="dialog-actions">
          <button type="button" class={isStored.value ? 'button primary' : 'button'} onClick={leave}>
            Close
          </button>
        </div>
      </div>
    </Dialog>
  );
}

function Usage({ line: { title, text, help } }: { readonly line: UsageLine }) {
  return (
    <div class="usage">
      <h3>{title}</h3>
      <div class="command-box">
        <code>{text}</code>
        <CopyButton text={text} label={`Copy: ${title}`} />
      </div>
      {help !== null && <p class="help">{help}</p>}
    </div>
  );
}
