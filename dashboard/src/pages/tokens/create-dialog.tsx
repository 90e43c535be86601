/** The dialog that creates a token. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { TokenWithSecret } from '../../api/calls.ts';
import { Dialog } from '../../components/dialog.tsx';
import { RequestFooter } from '../../components/dialog-request.tsx';
import { ExpiryField, GlobField, NameField, ScopesField } from './token-fields.tsx';
import { mayNameMachines } from './token-form.ts';
import { useTokenForm } from './use-token-form.ts';

interface CreateDialogProps {
  close(): void;
  made(token: TokenWithSecret): void;
}

export function CreateDialog({ close, made }: CreateDialogProps) {
  const first = useRef<HTMLInputElement | null>(null);
  useLayoutEffect(() => first.current?.focus(), []);
  const { element, form, problems, change, submit, request } = useTokenForm(made);
  const { name, scopes, jobs, machines, expiry } = form.value;
  const problem = problems.value;
  return (
    <Dialog title="Create token" class="wide" close={close}>
      <form ref={element} class="form" noValidate onSubmit={submit}>
        <NameField input={first} value={name} problem={problem.name} change={(to) => change({ name: to })} />
        <ScopesField value={scopes} problem={problem.scopes} change={(to) => change({ scopes: to })} />
        <GlobField
          name="jobs"
          label="Jobs"
          help="* matches anything: web-* is every job whose name starts with web-."
          value={jobs}
          problem={problem.jobs}
          change={(to) => change({ jobs: to })}
        />
        {mayNameMachines(form.value) ? (
          <GlobField
            name="machines"
            label="Machines"
            help="Machines it may be used from: a name or a pattern such as web-*."
            value={machines}
            problem={problem.machines}
            change={(to) => change({ machines: to })}
          />
        ) : (
          <p class="help">Only run-only tokens can be limited to machines.</p>
        )}
        <ExpiryField value={expiry} problem={problem.expiry} change={(to) => change({ expiry: to })} />
        <RequestFooter
          request={request}
          consequence="Couldn’t create the token"
          label="Create token"
          busyLabel="Creating…"
          close={close}
        />
      </form>
    </Dialog>
  );
}
