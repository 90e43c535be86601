import type { RunEvent } from '#protocol/api';
import { Clock } from '../../parts/time.tsx';
import type { KillProgress } from '../../state/kill-progress.ts';
import { Countdown } from './countdown.tsx';
import { tell } from './words.ts';

interface StoryProps {
  readonly events: readonly RunEvent[];
  readonly progress: KillProgress | null;
}

/** Everything that has happened to the run, in order, and what is bound to come next. */
export function Story({ events, progress }: StoryProps) {
  return (
    <section class="story" aria-labelledby="story">
      <h2 id="story">Story</h2>
      <ol>
        {events.map((event) => (
          <Entry key={event.id} event={event} />
        ))}
        {progress !== null && progress.graceEndsAt !== null && (
          <li class="entry upcoming" data-tone="kill">
            <span class="entry-text">
              SIGKILL <Countdown endsAt={progress.graceEndsAt} />
            </span>
          </li>
        )}
      </ol>
    </section>
  );
}

function Entry({ event }: { readonly event: RunEvent }) {
  const { text, detail, tone } = tell(event);
  return (
    <li class="entry" data-event={event.type} data-tone={tone}>
      <span class="entry-text">{text}</span>
      <span class="entry-time">
        <Clock at={event.at} />
      </span>
      {detail !== null && <span class="entry-detail">{detail}</span>}
    </li>
  );
}
