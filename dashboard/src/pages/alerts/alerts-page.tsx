/** Who is notified of what, and whether that works. */
import './alerts.css';
import { useSignal } from '@preact/signals';
import { useCallback, useLayoutEffect, useRef } from 'preact/hooks';
import type { Alert } from '#protocol/alerts';
import { changeAlert, deleteAlert, fetchAlerts, testAlert } from '../../api/alert-calls.ts';
import type { Failure, Result } from '../../api/failure.ts';
import { Dialog, DialogActions, ReadingDialog } from '../../components/dialog.tsx';
import { Refusal, RequestFooter, useDialogRequest } from '../../components/dialog-request.tsx';
import { LinkBanner } from '../../components/link-status.tsx';
import { Notice } from '../../components/notice.tsx';
import { Rows } from '../../components/rows.tsx';
import { Ago, Clock } from '../../components/time.tsx';
import { usePageTitle } from '../../hooks/page-title.ts';
import { useFocusFallback } from '../../keyboard/focus-fallback.ts';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import { now, serverNow } from '../../state/clock.ts';
import { syncStatus, useFleet } from '../../state/fleet.ts';
import { useReload } from '../../state/use-reload.ts';
import { AlertDialog } from './alert-dialog.tsx';
import { CHANNEL_LABELS, KIND_LABELS } from './alert-labels.ts';

const ROW_PX = 96;

type Doing =
  | { readonly kind: 'create' }
  | { readonly kind: 'edit' | 'mute' | 'delete' | 'test'; readonly alert: Alert };

export function AlertsPage() {
  useFleet();
  usePageTitle('Alerts – Leash');
  const list = useSignal<readonly Alert[] | null>(null);
  const failure = useSignal<Failure | null>(null);
  const doing = useSignal<Doing | null>(null);
  const heading = useRef<HTMLHeadingElement | null>(null);
  useFocusFallback(heading);
  const read = useCallback(async () => {
    const answer = await fetchAlerts();
    if (answer.ok) list.value = answer.value.items;
    failure.value = answer.ok ? null : answer.failure;
  }, []);
  useReload(read);
  const act = (what: Doing | null) => {
    doing.value = what;
  };
  const done = () => {
    doing.value = null;
    void read();
  };
  const create = () => act({ kind: 'create' });
  useShortcuts([{ key: 'n', does: 'Create alert', run: create }]);
  return (
    <main class="page alerts" aria-busy={list.value === null && failure.value === null}>
      <div class="page-head">
        <h1 ref={heading} tabIndex={-1}>
          Alerts
        </h1>
        <div class="head-actions">
          <button type="button" class="button quiet" onClick={() => void read()}>
            Refresh
          </button>
          <button type="button" class="button primary" onClick={create}>
            Create alert
          </button>
        </div>
      </div>
      {failure.value !== null && (
        <Notice tone="bad" title="Couldn’t load alerts" action={{ label: 'Try again', run: read }}>
          {failure.value.detail}
        </Notice>
      )}
      {list.value === null && failure.value === null && (
        <p class="nothing" role="status">
          Loading alerts…
        </p>
      )}
      {list.value !== null && list.value.length > 0 && (
        <Rows items={list.value} keyOf={({ id }) => id} estimatePx={ROW_PX} label="Alerts, oldest first">
          {(alert) => <AlertRow alert={alert} act={act} />}
        </Rows>
      )}
      {list.value?.length === 0 && (
        <p class="nothing" role="status">
          No alerts yet. Create one to be notified when a job fails, is late or hangs.
        </p>
      )}
      {doing.value !== null && <Dialogs doing={doing.value} close={() => act(null)} done={done} />}
      <LinkBanner status={syncStatus.value} />
    </main>
  );
}

interface DialogsProps {
  readonly doing: Doing;
  close(): void;
  done(): void;
}

function Dialogs({ doing, close, done }: DialogsProps) {
  switch (doing.kind) {
    case 'create':
      return <AlertDialog alert={null} close={close} done={done} />;
    case 'edit':
      return <AlertDialog alert={doing.alert} close={close} done={done} />;
    case 'mute':
      return <MuteDialog alert={doing.alert} close={close} done={done} />;
    case 'delete':
      return <DeleteDialog alert={doing.alert} close={close} done={done} />;
    case 'test':
      return <TestDialog alert={doing.alert} close={done} />;
  }
}

interface AlertRowProps {
  readonly alert: Alert;
  act(what: Doing): void;
}

function AlertRow({ alert, act }: AlertRowProps) {
  const isMuted = alert.muted_until !== null && Date.parse(alert.muted_until) > now.value;
  const button = (kind: 'edit' | 'mute' | 'delete' | 'test', label: string) => (
    <button
      type="button"
      class={`button quiet ${kind}`}
      aria-label={`${label} ${alert.name}`}
      onClick={() => act({ kind, alert })}
    >
      {label}
    </button>
  );
  return (
    <article class="row text alert-row" data-alert={alert.id}>
      <div class="cell-lines">
        <strong>{alert.name}</strong>
        {isMuted && (
          <span class="badge">
            muted until <Clock at={alert.muted_until ?? ''} />
          </span>
        )}
        {alert.broken_since !== null && (
          <span class="badge bad">
            channel broken since <Clock at={alert.broken_since} />
          </span>
        )}
      </div>
      <div class="alert-what cell-lines">
        <span>{alert.on.map((kind) => KIND_LABELS[kind]).join(', ')}</span>
        <span class="aside">{placeText(alert)}</span>
      </div>
      <div class="alert-where cell-lines">
        <span>
          {CHANNEL_LABELS[alert.channel.kind].name} <code>{alert.channel.url}</code>
          {alert.kill_link && <span class="aside"> with a kill link</span>}
        </span>
        <LastDelivery alert={alert} />
      </div>
      <div class="row-actions">
        {button('test', 'Test')}
        {button('mute', isMuted ? 'Unmute' : 'Mute')}
        {button('edit', 'Edit')}
        {button('delete', 'Delete')}
      </div>
    </article>
  );
}

function placeText({ jobs, machines, tags }: Alert): string {
  const ofJobs = jobs.includes('*') ? 'all jobs' : `jobs ${jobs.join(', ')}`;
  const onMachines = machines.includes('*') ? '' : ` on ${machines.join(', ')}`;
  return `${ofJobs}${onMachines}${tags.length === 0 ? '' : `, tagged ${tags.join(' or ')}`}`;
}

function LastDelivery({ alert }: { readonly alert: Alert }) {
  const [last] = alert.deliveries;
  const failure = alert.last_failure;
  return (
    <span class="aside">
      {last === undefined ? (
        'No message sent yet.'
      ) : (
        <>
          {last.state === 'waiting' ? (
            <>
              Message waiting since <Clock at={last.at} />
            </>
          ) : (
            <>
              {last.state === 'delivered' ? 'Last message delivered ' : 'Last message not delivered '}
              <Ago at={last.at} />
            </>
          )}
          {last.occurrences > 1 && `, ${last.occurrences} occurrences`}
        </>
      )}
      {alert.broken_since !== null && failure !== null && (
        <span class="broken-why problem">
          Failed <Ago at={failure.at} />: {failure.error}
        </span>
      )}
    </span>
  );
}

interface AlertProps {
  readonly alert: Alert;
  close(): void;
  done(): void;
}

const MUTES = [
  { hours: 1, label: '1 hour' },
  { hours: 4, label: '4 hours' },
  { hours: 12, label: '12 hours' },
  { hours: 24, label: '1 day' },
  { hours: 7 * 24, label: '7 days' },
] as const;
const HOUR_MS = 60 * 60 * 1000;

function MuteDialog({ alert, close, done }: AlertProps) {
  const request = useDialogRequest();
  const mute = (until: string | null) => void request.send(() => changeAlert(alert.id, { muted_until: until }), done);
  const isMuted = alert.muted_until !== null && Date.parse(alert.muted_until) > serverNow();
  return (
    <Dialog title={isMuted ? `“${alert.name}” is muted` : `Mute “${alert.name}”`} close={close}>
      <p>
        {isMuted ? 'Mute it for another time, or not at all. ' : ''}While it is muted it sends no messages, and what
        happens then isn’t sent later. A mute ends by itself.
      </p>
      <div class="mutes">
        {MUTES.map(({ hours, label }) => (
          <button
            key={hours}
            type="button"
            class="button"
            onClick={() => mute(new Date(serverNow() + hours * HOUR_MS).toISOString())}
          >
            {label}
          </button>
        ))}
      </div>
      <Refusal consequence="Couldn’t mute the alert" request={request} />
      <DialogActions close={close}>
        {isMuted && (
          <button type="button" class="button primary" onClick={() => mute(null)}>
            Unmute now
          </button>
        )}
      </DialogActions>
    </Dialog>
  );
}

function DeleteDialog({ alert, close, done }: AlertProps) {
  const request = useDialogRequest();
  return (
    <Dialog title={`Delete “${alert.name}”?`} close={close}>
      <p>Messages that wait to be sent are dropped, and its kill links stop working. This can’t be undone.</p>
      <RequestFooter
        request={request}
        consequence="Couldn’t delete the alert"
        label="Delete alert"
        busyLabel="Deleting…"
        isDanger
        isCareful
        run={() => void request.send(() => deleteAlert(alert.id), done)}
        close={close}
      />
    </Dialog>
  );
}

function TestDialog({ alert, close }: { readonly alert: Alert; close(): void }) {
  const result = useSignal<Result<{ readonly error: string | null }> | null>(null);
  useLayoutEffect(() => {
    void testAlert(alert.id).then((answer) => {
      result.value = answer;
    });
  }, [alert.id]);
  return (
    <ReadingDialog title={`Test “${alert.name}”`} close={close}>
      <div role="status">
        <TestResult result={result.value} />
      </div>
    </ReadingDialog>
  );
}

function TestResult({ result }: { readonly result: Result<{ readonly error: string | null }> | null }) {
  if (result === null) return <p>Sending a test message…</p>;
  if (!result.ok) return <p class="problem">Couldn’t send the test: {result.failure.detail}</p>;
  const { error } = result.value;
  if (error !== null) return <p class="problem">Not delivered: {error}</p>;
  return (
    <p>
      <strong class="delivered">Delivered.</strong> The receiver has taken the test message.
    </p>
  );
}
