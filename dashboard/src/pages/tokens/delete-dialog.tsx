import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Token } from '#protocol/api';
import { deleteToken, fetchTokens } from '../../api/calls.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { RoughlyAgo } from '../../parts/time.tsx';
import { serverNow } from '../../state/clock.ts';
import { isExpired } from './expiry.ts';
import type { Own } from './own-token.ts';
import { Ends, OwnWarning } from './rotate-dialog.tsx';

interface DeleteDialogProps {
  readonly token: Token;
  readonly own: Own;
  close(): void;
  deleted(): void;
}

export function DeleteDialog({ token, own, close, deleted }: DeleteDialogProps) {
  const refusal = useSignal<string | null>(null);
  const busy = useSignal(false);
  const no = useRef<HTMLButtonElement | null>(null);
  // What can't be undone is not what Enter does unseen.
  useLayoutEffect(() => no.current?.focus(), []);
  const doDelete = async () => {
    if (busy.value) return;
    busy.value = true;
    refusal.value = null;
    const answer = await deleteToken(token.id);
    busy.value = false;
    // Somebody else was faster: what was wanted is done.
    const isGone = !answer.ok && answer.failure.kind === 'problem' && answer.failure.code === 'unknown_token';
    if (answer.ok || isGone) deleted();
    else refusal.value = answer.failure.detail;
  };
  return (
    <Dialog title={`Delete “${token.name}”?`} class="token-dialog" close={close}>
      {isExpired(token, serverNow()) ? (
        <p>It has expired: nothing is open with it any more.</p>
      ) : (
        <>
          <p>
            It is worth nothing from then on, and can’t be brought back. <Usage known={token} />
          </p>
          <Ends token={token} />
          <OwnWarning own={own} ends="now" />
        </>
      )}
      {refusal.value !== null && (
        <p class="problem" role="alert">
          It was not deleted: {refusal.value}
        </p>
      )}
      <div class="dialog-actions">
        <button type="button" class="button danger" aria-disabled={busy.value} onClick={() => void doDelete()}>
          {busy.value ? 'Deleting…' : 'Delete the token'}
        </button>
        <button ref={no} type="button" class="button" onClick={close}>
          Cancel
        </button>
      </div>
    </Dialog>
  );
}

/** Uses are noted no more often than this. */
const USE_NOTED_MS = 10 * 60_000;

export function LastUse({ at }: { readonly at: string }) {
  return <RoughlyAgo at={at} everyMs={USE_NOTED_MS} />;
}

/** The list may be as old as the page: whether it is in use is asked anew. */
function Usage({ known }: { readonly known: Token }) {
  const use = useSignal<'asking' | 'unknown' | { readonly at: string | null }>('asking');
  useEffect(() => {
    void fetchTokens().then((answer) => {
      const token = answer.ok ? answer.value.items.find(({ id }) => id === known.id) : undefined;
      use.value = token === undefined ? 'unknown' : { at: token.last_used_at };
    });
  }, [known.id]);
  if (use.value === 'asking') return <>Looking up when it was last used…</>;
  if (use.value === 'unknown') return <>When it was last used could not be looked up.</>;
  if (use.value.at === null) return <>So far it was not used.</>;
  return (
    <>
      It was last used <LastUse at={use.value.at} />.
    </>
  );
}
