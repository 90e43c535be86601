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
      <h2 id="first-job">Nothing has run yet</h2>
      <p>Put a first job on the leash: paste this on any machine that has Node 18 or newer and can reach this page.</p>
      <div class="command-box">
        <code>{line}</code>
        <CopyButton text={line} label="Copy the line" />
      </div>
      <p class="help">
        It fetches one file and runs a job that says hello for a minute; it shows up here as soon as it starts. For a
        job that you have, put the same in front of the command in its crontab.
      </p>
      {token.value === null && mayAdminister(who) && (
        <p>
          <button type="button" class="button" onClick={() => void makeToken()}>
            Make a token and put it in
          </button>
        </p>
      )}
      {token.value === null && !mayAdminister(who) && (
        <p class="help">
          In place of the dots goes a token that may <code>run</code>. Whoever administers Leash can make one.
        </p>
      )}
      {token.value !== null && (
        <p class="help" role="status">
          The token is in the line. It may only start runs, and is shown this once; you find it among the tokens as
          “first job”.
        </p>
      )}
      {problem.value !== null && (
        <p class="problem" role="alert">
          No token was made: {problem.value}
        </p>
      )}
    </section>
  );
}
