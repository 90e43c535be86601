import './sign-in.css';
import type { TargetedSubmitEvent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Mark } from '../../components/mark.tsx';
import { usePageTitle } from '../../hooks/page-title.ts';
import { signIn } from '../../state/session.ts';

export function SignInPage({ notice }: { readonly notice: string | null }) {
  const [problem, setProblem] = useState(notice);
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement | null>(null);
  usePageTitle('Sign in – Leash');
  useEffect(() => input.current?.focus(), []);

  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const token = input.current?.value.trim() ?? '';
    if (busy) return;
    if (token === '') {
      setProblem('Enter a token.');
      return;
    }
    setBusy(true);
    setProblem(null);
    const failure = await signIn(token);
    setBusy(false);
    if (failure !== null) {
      setProblem(failure.detail);
      input.current?.select();
    }
  };

  return (
    <main class="sign-in">
      <form class="card" onSubmit={(event) => void submit(event)}>
        <h1>
          <Mark /> Leash
        </h1>
        <label for="token">Token</label>
        <input
          ref={input}
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          autocapitalize="off"
          spellcheck={false}
          aria-describedby="sign-in-problem sign-in-help"
          aria-invalid={problem !== null}
        />
        <button type="submit" class="button primary" disabled={busy}>
          {busy ? 'Signing in…' : 'Sign in'}
        </button>
        {/* Below the button, which must not move from under a pointer. */}
        <p id="sign-in-problem" class="problem" role="alert">
          {problem}
        </p>
        <p id="sign-in-help" class="help">
          Use a token with the <code>read</code> scope (add <code>kill</code> to stop jobs). The token itself isn’t
          stored in this browser.
        </p>
      </form>
    </main>
  );
}
