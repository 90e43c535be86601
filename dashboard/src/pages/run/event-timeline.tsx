import type { RunEvent } from '#protocol/api';
import { formatBytes } from '#shared/format-bytes';
import { Clock } from '../../components/time.tsx';
import { TruncatedNotice } from '../../components/truncated-notice.tsx';
import type { KillProgress } from '../../state/kill-progress.ts';
import { Countdown } from './countdown.tsx';
import { type EventGroup, groupEvents } from './group-events.ts';
import { type EventText, eventText } from './run-labels.ts';

interface EventTimelineProps {
  readonly events: readonly RunEvent[];
  readonly isCut: boolean;
  readonly progress: KillProgress | null;
}

/** Everything that happened to the run, in order, and what comes next. */
export function EventTimeline({ events, isCut, progress }: EventTimelineProps) {
  return (
    <section class="events" aria-labelledby="events">
      <h2 id="events">Events</h2>
      {isCut && (
        <TruncatedNotice one="event" which="the first">
          Later events are missing, up to when you opened this page.
        </TruncatedNotice>
      )}
      <ol>
        {groupEvents(events).map((group) => (
          <Entry key={firstEvent(group).id} group={group} />
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

function Entry({ group }: { readonly group: EventGroup }) {
  const { text, detail, tone } = groupText(group);
  return (
    <li class="entry" data-event={firstEvent(group).type} data-tone={tone}>
      <span class="entry-text">{text}</span>
      <span class="entry-time">
        <Clock at={firstEvent(group).at} />
      </span>
      {detail !== null && <span class="entry-detail">{detail}</span>}
      {group.kind !== 'event' && (
        <span class="entry-detail">
          last at <Clock at={group.last.at} />
        </span>
      )}
    </li>
  );
}

/** The one that it begins with. */
function firstEvent(group: EventGroup): RunEvent {
  return group.kind === 'event' ? group.event : group.first;
}

function groupText(group: EventGroup): EventText {
  switch (group.kind) {
    case 'event':
      return eventText(group.event);
    case 'gaps':
      return {
        tone: 'warn',
        text: `${group.times} output gaps`,
        detail: `${formatBytes(group.bytes)} missing`,
      };
    case 'flapping':
      return { tone: 'warn', text: `Disconnected and reconnected ${group.times} times`, detail: null };
  }
}
