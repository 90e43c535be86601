/** What a kill needs, whose code is the first to come when the browser has nothing else to do. */
import { pendingKills } from '../state/pending-kills.ts';
import type { KillDialogProps } from './kill-dialog.tsx';
import { lazyPart } from './lazy-page.tsx';
import { WaitingDialog } from './waiting-dialog.tsx';

const loadParts = () => import('./kill-parts.ts');

export const KillDialog = lazyPart<KillDialogProps>(
  async () => (await loadParts()).KillDialog,
  ({ state, close }) => <WaitingDialog title="Kill?" state={state} close={() => close(false)} />,
);

const LazyKillBar = lazyPart(async () => (await loadParts()).KillBar);

export function KillBar() {
  return pendingKills.value.length === 0 ? null : <LazyKillBar />;
}
