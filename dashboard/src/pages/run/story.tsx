import type { RunEvent } from '#protocol/api';
import { formatBytes } from '#shared/format-bytes';
import { Clock } from '../../components/time.tsx';
import { CutNotice } from '../../components/truncated-notice.tsx';
import type { KillProgress } from '../../state/kill-progress.ts';
import { Countdown } from './countdown.tsx';
import { type Chapter, chaptersOf } from './fold-events.ts';
import { type Telling, tell } from './run-labels.ts';

interface StoryProps {
  readonly events: readonly RunEvent[];
  readonly isCut: boolean;
  readonly progress: KillProgress | null;
}

/** Everything that has happened to the run, in order, and what is bound to come next. */
export function Story({ events, isCut, progress }: StoryProps) {
  return (
    <section class="events" aria-labelledby="events">
      <h2 id="events">Events</h2>
      {isCut && (
        <CutNotice one="event" which="the first">
          Later events are missing, up to when you opened this page.
        </CutNotice>
      )}
      <ol>
        {chaptersOf(events).map((chapter) => (
          <Entry key={eventOf(chapter).id} chapter={chapter} />
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

function Entry({ chapter }: { readonly chapter: Chapter }) {
  const { text, detail, tone } = tellChapter(chapter);
  return (
    <li class="entry" data-event={eventOf(chapter).type} data-tone={tone}>
      <span class="entry-text">{text}</span>
      <span class="entry-time">
        <Clock at={eventOf(chapter).at} />
      </span>
      {detail !== null && <span class="entry-detail">{detail}</span>}
      {chapter.kind !== 'event' && (
        <span class="entry-detail">
          last at <Clock at={chapter.last.at} />
        </span>
      )}
    </li>
  );
}

/** The one that it begins with. */
function eventOf(chapter: Chapter): RunEvent {
  return chapter.kind === 'event' ? chapter.event : chapter.first;
}

function tellChapter(chapter: Chapter): Telling {
  switch (chapter.kind) {
    case 'event':
      return tell(chapter.event);
    case 'gaps':
      return {
        tone: 'warn',
        text: `${chapter.times} output gaps`,
        detail: `${formatBytes(chapter.bytes)} missing`,
      };
    case 'flapping':
      return { tone: 'warn', text: `Disconnected and reconnected ${chapter.times} times`, detail: null };
  }
}
