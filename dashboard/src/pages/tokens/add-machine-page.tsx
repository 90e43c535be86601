/** Brings a machine to this control plane: a token, one line to paste, and its first run. */
import './tokens.css';
import './add-machine.css';
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Run } from '#protocol/api';
import type { TokenWithSecret } from '../../api/calls.ts';
import { CopyButton } from '../../components/copy-button.tsx';
import { Refusal, SubmitButton } from '../../components/dialog-request.tsx';
import { LinkBanner } from '../../components/link-status.tsx';
import {
  crontabLine,
  INSTALL_AS,
  INSTALL_AS_LABELS,
  type InstallAs,
  installLine,
  unattendedLine,
} from '../../format/install-lines.ts';
import { STATE_LABELS } from '../../format/run-state-labels.ts';
import { usePageTitle } from '../../hooks/page-title.ts';
import { useFocusFallback } from '../../keyboard/focus-fallback.ts';
import { Link, runPath } from '../../router.tsx';
import { syncStatus, useFleet } from '../../state/fleet.ts';
import { ExpiryField, GlobField, NameField } from './token-fields.tsx';
import { EMPTY_FORM, type TokenForm } from './token-form.ts';
import { exampleJob } from './usage-lines.ts';
import { useFirstRuns } from './use-first-runs.ts';
import { useTokenForm } from './use-token-form.ts';

const RUN_ONLY: TokenForm = { ...EMPTY_FORM, scopes: ['run'] };

export function AddMachinePage() {
  // By the end of the link the page hears of the end of its own session.
  useFleet();
  usePageTitle('Add a machine – Leash');
  const made = useSignal<TokenWithSecret | null>(null);
  const heading = useRef<HTMLHeadingElement | null>(null);
  useFocusFallback(heading);
  return (
    <main class="page add-machine">
      <div class="page-head">
        <h1 ref={heading} tabIndex={-1}>
          Add a machine
        </h1>
      </div>
      {made.value === null ? (
        <CreateToken
          made={(token) => {
            made.value = token;
          }}
        />
      ) : (
        <Install
          {...made.value}
          again={() => {
            made.value = null;
          }}
        />
      )}
      <LinkBanner status={syncStatus.value} />
    </main>
  );
}

function CreateToken({ made }: { made(token: TokenWithSecret): void }) {
  const first = useRef<HTMLInputElement | null>(null);
  useLayoutEffect(() => first.current?.focus(), []);
  const { element, form, problems, change, submit, request } = useTokenForm(made, RUN_ONLY);
  const { name, jobs, machines, expiry } = form.value;
  const problem = problems.value;
  return (
    <section class="card step" aria-labelledby="step-token">
      <h2 id="step-token">1. Create its token</h2>
      <p class="help">
        With this token a machine can report its own runs, and nothing else. One token may serve many machines; a token
        for each is easier to revoke.
      </p>
      <form ref={element} class="form" noValidate onSubmit={submit}>
        <NameField input={first} value={name} problem={problem.name} change={(to) => change({ name: to })} />
        <GlobField
          name="machines"
          label="Machines"
          help="Where it may be used: a full host name, or a pattern such as web-*."
          value={machines}
          problem={problem.machines}
          change={(to) => change({ machines: to })}
        />
        <GlobField
          name="jobs"
          label="Jobs"
          help="The jobs that it may run: a name, or a pattern such as backup-*."
          value={jobs}
          problem={problem.jobs}
          change={(to) => change({ jobs: to })}
        />
        <ExpiryField value={expiry} problem={problem.expiry} change={(to) => change({ expiry: to })} />
        <Refusal consequence="Couldn’t create the token" request={request} />
        <div class="dialog-actions">
          <SubmitButton request={request} label="Create token" busyLabel="Creating…" />
        </div>
      </form>
    </section>
  );
}

function Install({ token, secret, again }: TokenWithSecret & { again(): void }) {
  const as = useSignal<InstallAs>('root');
  const title = useRef<HTMLHeadingElement | null>(null);
  // The button that had the focus is gone.
  useLayoutEffect(() => title.current?.focus(), []);
  useEffect(() => {
    const hold = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', hold);
    return () => removeEventListener('beforeunload', hold);
  }, []);
  const { origin } = location;
  return (
    <>
      <section class="card step" aria-labelledby="step-install">
        <h2 id="step-install" ref={title} tabIndex={-1}>
          2. Paste this on the machine
        </h2>
        <AsChoice as={as} />
        <CommandLine text={installLine(origin, as.value)} label="Copy the install command" />
        <p class="help">
          It needs curl and Node.js 18 or later, and connects to nothing but this control plane. It verifies what it
          downloads and runs a test job before it changes anything.
        </p>
        <h3>When it asks for the token, paste this</h3>
        <CommandLine text={secret} label="Copy the token" isSecret />
        <p class="help">
          <strong>You won’t see it again</strong> once you leave this page. On the prompt it isn’t shown, and it stays
          out of the shell’s history.
        </p>
        <details>
          <summary>Without a terminal: scripts, images, configuration management</summary>
          <p>Put the token in a file that only its owner can read, then:</p>
          <CommandLine text={unattendedLine(origin, as.value)} label="Copy the command for scripts" />
        </details>
      </section>
      <section class="card step" aria-labelledby="step-run">
        <h2 id="step-run">3. Its first run</h2>
        <FirstRuns token={token} as={as.value} />
        <div class="then">
          <button type="button" class="button" onClick={again}>
            Create another token
          </button>
          <Link to="/tokens">All tokens</Link>
        </div>
      </section>
    </>
  );
}

function AsChoice({ as }: { readonly as: Signal<InstallAs> }) {
  return (
    <fieldset class="choices">
      <legend>You paste it as</legend>
      {INSTALL_AS.map((each) => (
        <label key={each} class="check">
          <input
            type="radio"
            name="install-as"
            checked={as.value === each}
            onChange={() => {
              as.value = each;
            }}
          />
          <span>
            {INSTALL_AS_LABELS[each].label}
            <span class="help"> {INSTALL_AS_LABELS[each].help}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

interface CommandLineProps {
  readonly text: string;
  readonly label: string;
  readonly isSecret?: boolean;
}

function CommandLine({ text, label, isSecret = false }: CommandLineProps) {
  return (
    <div class="command-box">
      <code data-secret={isSecret}>{text}</code>
      <CopyButton text={text} label={label} />
    </div>
  );
}

function FirstRuns({ token, as }: Pick<TokenWithSecret, 'token'> & { readonly as: InstallAs }) {
  const runs = useFirstRuns(token).value;
  return (
    <>
      <div role="status">
        {runs.length === 0 ? (
          <p class="waiting">Waiting for “{token.name}” to connect. This page shows it as soon as it does.</p>
        ) : (
          <ul class="connected">
            {runs.map((run) => (
              <Connected key={run.machine} run={run} />
            ))}
          </ul>
        )}
      </div>
      {runs.length > 0 && (
        <>
          <p>
            Now put leash in front of a command in the crontab. The command runs as before, and its job appears on the
            overview.
          </p>
          <CommandLine text={crontabLine(as, exampleJob(token.jobs))} label="Copy the crontab line" />
        </>
      )}
    </>
  );
}

function Connected({ run }: { readonly run: Run }) {
  return (
    <li>
      <strong>{run.machine}</strong> is connected: <Link to={runPath(run)}>run of {run.job}</Link>,{' '}
      {STATE_LABELS[run.state].toLowerCase()}
    </li>
  );
}
