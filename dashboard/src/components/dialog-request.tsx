/** What a dialog asks of the control plane, one request at a time, and why it was refused. */
import { type ReadonlySignal, useSignal } from '@preact/signals';
import type { Result } from '../api/failure.ts';
import { DialogActions } from './dialog.tsx';

export interface DialogRequest {
  readonly isBusy: ReadonlySignal<boolean>;
  /** What was wrong with the last one; null when nothing was. */
  readonly refusal: ReadonlySignal<string | null>;
  /** Nothing while another one is on its way. */
  send<Value>(request: () => Promise<Result<Value>>, done: (value: Value) => void): Promise<void>;
}

export function useDialogRequest(): DialogRequest {
  const isBusy = useSignal(false);
  const refusal = useSignal<string | null>(null);
  return {
    isBusy,
    refusal,
    send: async (request, done) => {
      if (isBusy.value) return;
      isBusy.value = true;
      refusal.value = null;
      const answer = await request();
      isBusy.value = false;
      if (answer.ok) done(answer.value);
      else refusal.value = answer.failure.detail;
    },
  };
}

interface RefusalProps {
  /** What did not happen, in words. */
  readonly consequence: string;
  readonly request: DialogRequest;
}

export function Refusal({ consequence, request }: RefusalProps) {
  if (request.refusal.value === null) return null;
  return (
    <p class="problem" role="alert">
      {consequence}: {request.refusal.value}
    </p>
  );
}

interface SubmitButtonProps {
  readonly request: DialogRequest;
  readonly label: string;
  readonly busyLabel: string;
  readonly isDanger?: boolean;
  /** In place of submitting the form that it is in. */
  run?(): void;
}

export function SubmitButton({ request, label, busyLabel, isDanger = false, run }: SubmitButtonProps) {
  const isBusy = request.isBusy.value;
  return (
    <button
      type={run === undefined ? 'submit' : 'button'}
      class={isDanger ? 'button danger' : 'button primary'}
      aria-disabled={isBusy}
      {...(run !== undefined && { onClick: run })}
    >
      {isBusy ? busyLabel : label}
    </button>
  );
}

interface RequestFooterProps extends SubmitButtonProps {
  readonly consequence: string;
  readonly isCareful?: boolean;
  close(): void;
}

/** The end of a dialog that asks the control plane for something. */
export function RequestFooter({ consequence, isCareful = false, close, ...submit }: RequestFooterProps) {
  return (
    <>
      <Refusal consequence={consequence} request={submit.request} />
      <DialogActions isCareful={isCareful} close={close}>
        <SubmitButton {...submit} />
      </DialogActions>
    </>
  );
}
