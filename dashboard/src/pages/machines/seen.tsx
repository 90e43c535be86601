import type { Machine } from '#protocol/machines';
import { Ago } from '../../components/time.tsx';

/** Whether a machine is in touch, or since when not. */
export function Seen({ machine }: { readonly machine: Pick<Machine, 'is_connected' | 'last_seen_at'> }) {
  return (
    <span class="seen" data-connected={machine.is_connected}>
      <span class="seen-dot" aria-hidden="true" />
      {machine.is_connected ? (
        'connected'
      ) : (
        <>
          last seen <Ago at={machine.last_seen_at} />
        </>
      )}
    </span>
  );
}
