import { useSignal } from '@preact/signals';
import type { Session } from '#protocol/api';
import { createToken } from '../../api/calls.ts';
import { CopyButton } from '../../components/copy-button.tsx';
import { mayAdminister } from '../../state/rights.ts';

interface FirstJobProps {
  readonly who: Session;
  readonly origin: string;
}

/** What to do when nothing has ever run: one line to paste on a machine. */
export function FirstJob({ who, origin }: FirstJobProps) {
  const token = useSignal<string | null>(null);
  const problem = useSignal<string | null>(null);
  const line = [
    `curl -fsSLO ${origin}/leash.cjs &&`,
    `LEASH_URL=${origin} LEASH_TOKEN=${token.value ?? '…'} \\`,
    `node leash.cjs run --job hello -- sh -c 'echo hello; sleep 60'`,
  ].join('\n');
  const makeToken = async () => {
    const answer = await createToken({ name: 'first job', scopes: ['run'] });
    token.value = answer.ok ? answer.value.secret : null;
    problem.value = answer.ok ? null : answer.failure.detail;
  };
  return (
    <section class="card first-job" aria-labelledby="first-job">
      <h2 id="first-job">No runs yet</h2>
      <p>Connect your first job: run this on any machine with Node 18+ that can reach this address.</p>
      <div class="command-box">
        <code>{line}</code>
        <CopyButton text={line} label="Copy the command" />
      </div>
      <p class="help">
        Downloads one file and runs a one-minute test job. It appears here as soon as it starts. To supervise an
        existing cron job, put the same, with its own <code>--job</code> name, in front of its command.
      </p>
      {token.value === null && mayAdminister(who) && (
        <p>
          <button type="button" class="button" onClick={() => void makeToken()}>
            Create token and insert it
          </button>
        </p>
      )}
      {token.value === null && !mayAdminister(who) && (
        <p class="help">
          Replace … with a token that has the <code>run</code> scope. Ask your Leash admin for one.
        </p>
      )}
      {token.value !== null && (
        <p class="help" role="status">
          The command now contains a new token (“first job”, <code>run</code> scope only). It won’t be shown again.
        </p>
      )}
      {problem.value !== null && (
        <p class="problem" role="alert">
          Couldn’t create a token: {problem.value}
        </p>
      )}
    </section>
  );
}
