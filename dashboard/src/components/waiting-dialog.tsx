import { Dialog, DialogActions } from './dialog.tsx';
import type { WaitingProps } from './lazy-page.tsx';

interface WaitingDialogProps extends WaitingProps {
  readonly title: string;
  close(): void;
}

const TEXTS: Readonly<Record<WaitingProps['state'], string>> = {
  loading: 'Loading…',
  cut_off: 'Leash isn’t answering. Retrying every few seconds.',
  gone: 'Leash was updated, or part of this page failed to load. Reload to continue.',
};

/** In place of a dialog whose code is not there yet: keys are no longer for the page below. */
export function WaitingDialog({ title, state, close }: WaitingDialogProps) {
  return (
    <Dialog title={title} close={close}>
      <p role="status">{TEXTS[state]}</p>
      <DialogActions close={close}>
        {state === 'gone' && (
          <button type="button" class="button primary" onClick={() => location.reload()}>
            Reload
          </button>
        )}
      </DialogActions>
    </Dialog>
  );
}
