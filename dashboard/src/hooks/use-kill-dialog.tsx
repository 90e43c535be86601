import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { KillDialog } from '../components/lazy-kill-parts.tsx';
import type { KillScope } from '../state/pending-kills.ts';
import type { Selection } from '../state/selection.ts';

/**
 * The dialog before a kill from a list. Confirming it clears the selection.
 *
 * @returns what asks it, and the dialog while it is asked
 */
export function useKillDialog(selection: Selection): [ask: (scope: KillScope) => void, dialog: VNode | null] {
  const scope = useSignal<KillScope | null>(null);
  const ask = (asked: KillScope) => {
    scope.value = asked;
  };
  const close = (isConfirmed: boolean) => {
    if (isConfirmed) selection.clear();
    scope.value = null;
  };
  return [ask, scope.value === null ? null : <KillDialog scope={scope.value} close={close} />];
}
