import { CopyButton } from '../../parts/copy-button.tsx';

/** What to do when nothing has ever run. */
export function FirstJob({ origin }: { readonly origin: string }) {
  const fetchLine = `curl -fsSLO ${origin}/leash.cjs`;
  const runLine = `LEASH_URL=${origin} LEASH_TOKEN=… node leash.cjs run --job hello -- sh -c 'echo hello; sleep 60'`;
  return (
    <section class="card first-job" aria-labelledby="first-job">
      <h2 id="first-job">Nothing has run yet</h2>
      <p>Put a first job on the leash. On any machine that has Node 18 or newer and can reach this page:</p>
      <CommandLine text={fetchLine} label="Copy the line that fetches leash.cjs" />
      <CommandLine text={runLine} label="Copy the line that runs a first job" />
      <p class="help">
        For <code>LEASH_TOKEN</code> take a token that may <code>run</code>. The job shows up here as soon as it starts;
        in a crontab, put the same in front of the command that is there.
      </p>
    </section>
  );
}

function CommandLine({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <div class="command-box">
      <code>{text}</code>
      <CopyButton text={text} label={label} />
    </div>
  );
}
