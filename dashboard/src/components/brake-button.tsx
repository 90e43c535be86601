import { useSignal } from '@preact/signals';
import { BrakeDialog } from './lazy-brake-dialogs.tsx';

/** Opens the form for a brake on these jobs. */
export function BrakeButton({ jobs }: { readonly jobs: readonly string[] }) {
  const isOpen = useSignal(false);
  return (
    <>
      <button
        type="button"
        class="button"
        onClick={() => {
          isOpen.value = true;
        }}
      >
        Brake…
      </button>
      {isOpen.value && (
        <BrakeDialog
          jobs={jobs}
          close={() => {
            isOpen.value = false;
          }}
        />
      )}
    </>
  );
}
