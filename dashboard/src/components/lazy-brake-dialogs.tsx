/** The dialogs of brakes, whose code comes when the browser has nothing else to do, or when they are opened. */
import type { BrakeDialogProps } from './brake-dialog.tsx';
import type { EndBrakeDialogProps } from './end-brake-dialog.tsx';
import { lazyPart } from './lazy-page.tsx';
import { WaitingDialog } from './waiting-dialog.tsx';

export const BrakeDialog = lazyPart<BrakeDialogProps>(
  async () => (await import('./brake-dialog.tsx')).BrakeDialog,
  (props) => <WaitingDialog title="Brake" {...props} />,
);

export const EndBrakeDialog = lazyPart<EndBrakeDialogProps>(
  async () => (await import('./end-brake-dialog.tsx')).EndBrakeDialog,
  (props) => <WaitingDialog title="End the brake?" {...props} />,
);
