import type { TargetedKeyboardEvent, TargetedSubmitEvent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { KillRequest, Run } from '#protocol/api';

const GRACES = [
  { seconds: 5, label: '5 seconds' },
  { seconds: 30, label: '30 seconds' },
  { seconds: 300, label: '5 minutes' },
  { seconds: 0, label: 'none: SIGKILL at once' },
] as const;

interface KillConfirmProps {
  readonly run: Run;
  confirm(request: Partial<KillRequest>): void;
  cancel(): void;
}

/** The one question before a kill: it says what will be hit. */
export function KillConfirm({ run, confirm, cancel }: KillConfirmProps) {
  const [grace, setGrace] = useState(5);
  const [reason, setReason] = useState('');
  const yes = useRef<HTMLButtonElement | null>(null);
  useEffect(() => yes.current?.focus(), []);

  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const why = reason.trim() === '' ? {} : { reason: reason.trim() };
    confirm(grace === 0 ? { signal: 'SIGKILL', grace_seconds: 0, ...why } : { grace_seconds: grace, ...why });
  };
  const onKey = (event: TargetedKeyboardEvent<HTMLFormElement>) => {
    if (event.key === 'Escape') cancel();
    // A held Enter would open the question and answer it.
    if (event.key === 'Enter' && event.repeat) event.preventDefault();
  };

  return (
    <form class="kill-confirm" aria-label="Confirm the kill" onSubmit={submit} onKeyDown={onKey}>
      <p>
        This ends <strong>{run.job}</strong> on <strong class="unbroken">{run.machine}</strong>
        {run.pid !== null && (
          <>
            , process <strong>{run.pid}</strong>
          </>
        )}
        , and everything it has started.
        {!run.connected && ' It is out of touch: the kill waits and is carried out when it comes back.'}
      </p>
      <div class="kill-options">
        <label>
          Grace before SIGKILL
          <select value={grace} onChange={(event) => setGrace(Number(event.currentTarget.value))}>
            {GRACES.map(({ seconds, label }) => (
              <option key={seconds} value={seconds}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label>
          Reason, for the record
          <input
            value={reason}
            maxLength={500}
            placeholder="optional"
            autocomplete="off"
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </label>
      </div>
      <div class="kill-actions">
        <button ref={yes} type="submit" class="button danger">
          Kill now
        </button>
        <button type="button" class="button" onClick={cancel}>
          Cancel
        </button>
      </div>
    </form>
  );
}
