import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Token } from '#protocol/api';
import { deleteToken, fetchTokens } from '../../api/calls.ts';
import { type Result, success } from '../../api/failure.ts';
import { Dialog } from '../../components/dialog.tsx';
import { RequestFooter, useDialogRequest } from '../../components/dialog-request.tsx';
import { RoughlyAgo } from '../../components/time.tsx';
import { serverNow } from '../../state/clock.ts';
import { isExpired } from './expiry.ts';
import type { Own } from './own-token.ts';
import { Ends, OwnWarning } from './secret-end.tsx';

interface DeleteDialogProps {
  readonly token: Token;
  readonly own: Own;
  close(): void;
  deleted(): void;
}

export function DeleteDialog({ token, own, close, deleted }: DeleteDialogProps) {
  const request = useDialogRequest();
  return (
    <Dialog title={`Delete “${token.name}”?`} class="token-dialog" close={close}>
      {isExpired(token, serverNow()) ? (
        <p>It has already expired; nothing uses it.</p>
      ) : (
        <>
          <p>
            It stops working immediately. This can’t be undone. <Usage known={token} />
          </p>
          <Ends token={token} />
          <OwnWarning own={own} ends="now" />
        </>
      )}
      <RequestFooter
        request={request}
        consequence="Couldn’t delete the token"
        label="Delete token"
        busyLabel="Deleting…"
        isDanger
        isCareful
        run={() => void request.send(() => deleteIfThere(token), deleted)}
        close={close}
      />
    </Dialog>
  );
}

/** Somebody else may be faster: then what was wanted is done. */
async function deleteIfThere({ id }: Token): Promise<Result<null>> {
  const answer = await deleteToken(id);
  const isGone = !answer.ok && answer.failure.kind === 'problem' && answer.failure.code === 'unknown_token';
  return isGone ? success(null) : answer;
}

/** Uses are noted no more often than this. */
const USE_NOTED_MS = 10 * 60_000;

export function LastUse({ at }: { readonly at: string }) {
  return <RoughlyAgo at={at} everyMs={USE_NOTED_MS} />;
}

/** The list may be old: the last use is loaded again. */
function Usage({ known }: { readonly known: Token }) {
  const use = useSignal<'asking' | 'unknown' | { readonly at: string | null }>('asking');
  useEffect(() => {
    void fetchTokens().then((answer) => {
      const token = answer.ok ? answer.value.items.find(({ id }) => id === known.id) : undefined;
      use.value = token === undefined ? 'unknown' : { at: token.last_used_at };
    });
  }, [known.id]);
  if (use.value === 'asking') return <>Checking when it was last used…</>;
  if (use.value === 'unknown') return <>Couldn’t check when it was last used.</>;
  if (use.value.at === null) return <>Never used.</>;
  return (
    <>
      Last used <LastUse at={use.value.at} />.
    </>
  );
}
