/** The last kills of the job: who ordered them, when, and what has become of them. */
import { useComputed } from '@preact/signals';
import { hitText } from '../../parts/command-words.ts';
import { progressText } from '../../parts/kill-bar.tsx';
import { Ago } from '../../parts/time.tsx';
import { commandPath, Link } from '../../router.tsx';
import { commands } from '../../state/commands.ts';
import { orderProgress } from '../../state/order-progress.ts';
import { SHOWN_KILLS } from './follow-job.ts';

export function Kills({ job }: { readonly job: string }) {
  const last = useComputed(() =>
    [...commands.value.values()]
      .filter((command) => command.job === job)
      .sort((a, b) => Date.parse(b.requested_at) - Date.parse(a.requested_at))
      .slice(0, SHOWN_KILLS),
  ).value;
  if (last.length === 0) return null;
  return (
    <section class="job-kills" aria-labelledby="job-kills">
      <h2 id="job-kills">Last kills</h2>
      <ol>
        {last.map((command) => (
          <li key={command.id} class="job-kill" data-command={command.id} data-state={command.state}>
            <Link to={commandPath(command.id)}>Kill of {hitText(command)}</Link>
            <span class="aside">
              <Ago at={command.requested_at} />
            </span>
            <span class="aside job-kill-who">by {command.requested_by}</span>
            <span class="job-kill-outcome">{progressText(orderProgress([command]))}</span>
            {command.reason !== null && <span class="aside job-kill-reason">“{command.reason}”</span>}
          </li>
        ))}
      </ol>
      <Link to={`/commands?job=${job}`}>All kills of this job</Link>
    </section>
  );
}
