/** The dialogs of brakes, whose code comes when they are opened, or when the browser has nothing else to do. */
import type { BrakeDialogProps } from './brake-dialog.tsx';
import { Dialog } from './dialog.tsx';
import type { EndBrakeDialogProps } from './end-brake-dialog.tsx';
import { lazyPart } from './lazy-page.tsx';

interface WaitingProps {
  readonly isCutOff: boolean;
  close(): void;
}

function Waiting({ close, isCutOff }: WaitingProps) {
  return (
    <Dialog title="Brake" class="brake-dialog" close={close}>
      <p>{isCutOff ? 'Leash isn’t answering. Close this, and try again.' : 'Loading…'}</p>
    </Dialog>
  );
}

export const BrakeDialog = lazyPart<BrakeDialogProps>(
  async () => (await import('./brake-dialog.tsx')).BrakeDialog,
  Waiting,
);

export const EndBrakeDialog = lazyPart<EndBrakeDialogProps>(
  async () => (await import('./end-brake-dialog.tsx')).EndBrakeDialog,
  Waiting,
);
