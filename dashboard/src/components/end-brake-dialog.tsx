/** Ends a brake, or maintenance, before its time. */
import { type Brake, scopeText } from '#protocol/brakes';
import { endBrake } from '../api/brake-calls.ts';
import { type Result, success } from '../api/failure.ts';
import { loadBrakes } from '../state/brakes.ts';
import { Dialog } from './dialog.tsx';
import { Refusal, useDialogRequest } from './dialog-request.tsx';

export interface EndBrakeDialogProps {
  readonly brake: Brake;
  close(): void;
}

export function EndBrakeDialog({ brake, close }: EndBrakeDialogProps) {
  const request = useDialogRequest();
  const isBusy = request.isBusy.value;
  const what = brake.kill ? 'brake' : 'maintenance';
  const ended = () => {
    void loadBrakes();
    close();
  };
  return (
    <Dialog title={`End the ${what}?`} class="brake-dialog" close={close}>
      <p>
        {brake.kill ? 'Runs of ' : 'Runs that ask, of '}
        <strong>{scopeText(brake)}</strong>
        {brake.kill ? ' are no longer killed, and start as usual.' : ', start again, and alerts are sent again.'}
      </p>
      <Refusal consequence={`Couldn’t end the ${what}`} request={request} />
      <div class="dialog-actions">
        <button
          type="button"
          class="button primary"
          aria-disabled={isBusy}
          onClick={() => void request.send(() => endIfActive(brake), ended)}
        >
          {isBusy ? 'Ending…' : `End ${what}`}
        </button>
        <button type="button" class="button" onClick={close}>
          Cancel
        </button>
      </div>
    </Dialog>
  );
}

/** Somebody else may be faster: then what was wanted is done. */
async function endIfActive({ id }: Brake): Promise<Result<null>> {
  const answer = await endBrake(id);
  const isGone = !answer.ok && answer.failure.kind === 'problem' && answer.failure.code === 'unknown_brake';
  return isGone ? success(null) : answer;
}
