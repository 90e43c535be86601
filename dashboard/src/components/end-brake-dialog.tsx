/** Ends a brake, or maintenance, before its time. */
import { type Brake, scopeText } from '#protocol/brakes';
import { endBrake } from '../api/brake-calls.ts';
import { type Result, success } from '../api/failure.ts';
import { loadBrakes } from '../state/brakes.ts';
import { Dialog } from './dialog.tsx';
import { RequestFooter, useDialogRequest } from './dialog-request.tsx';

export interface EndBrakeDialogProps {
  readonly brake: Brake;
  close(): void;
}

export function EndBrakeDialog({ brake, close }: EndBrakeDialogProps) {
  const request = useDialogRequest();
  const what = brake.kill ? 'brake' : 'maintenance';
  const ended = () => {
    void loadBrakes();
    close();
  };
  return (
    <Dialog title={`End the ${what}?`} close={close}>
      <p>
        {brake.kill ? 'Runs of ' : 'Runs that ask, of '}
        <strong>{scopeText(brake)}</strong>
        {brake.kill ? ' are no longer killed, and start as usual.' : ', start again, and alerts are sent again.'}
      </p>
      {brake.reason !== null && <p>Reason: {brake.reason}</p>}
      <RequestFooter
        request={request}
        consequence={`Couldn’t end the ${what}`}
        label={`End ${what}`}
        busyLabel="Ending…"
        run={() => void request.send(() => endIfActive(brake), ended)}
        close={close}
      />
    </Dialog>
  );
}

/** Somebody else may be faster: then what was wanted is done. */
async function endIfActive({ id }: Brake): Promise<Result<null>> {
  const answer = await endBrake(id);
  const isGone = !answer.ok && answer.failure.kind === 'problem' && answer.failure.code === 'unknown_brake';
  return isGone ? success(null) : answer;
}
