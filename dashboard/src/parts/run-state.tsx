/** A run's state by shape, word and colour: any one of them is enough. */

import type { JSX } from 'preact';
import type { Run } from '#protocol/api';
import { isLive, type RunState } from '#protocol/run-state';
import { awaitedByKill } from '../state/commands.ts';
import { STATE_WORDS } from './run-state-words.ts';

export function RunStateBadge({ run }: { readonly run: Run }) {
  return <StateBadge state={run.state} isConnected={run.connected} note={contactNote(run)} />;
}

interface StateBadgeProps {
  readonly state: RunState;
  /** Whether the state is known to hold at present: false for one that is only believed. */
  readonly isConnected?: boolean;
  readonly note?: string | null;
}

export function StateBadge({ state, isConnected = true, note = null }: StateBadgeProps) {
  return (
    <span class="state" data-state={state} data-connected={isConnected}>
      <StateShape state={state} px={16} />
      <span class="state-words">
        <span class="state-word">{STATE_WORDS[state]}</span>
        {note !== null && <span class="state-note">{note}</span>}
      </span>
    </span>
  );
}

/** The shape alone, where the word stands elsewhere. */
export function StateShape({ state, px }: { readonly state: RunState; readonly px: number }) {
  return (
    <svg viewBox="0 0 16 16" width={px} height={px} aria-hidden="true">
      {shapeOf(state)}
    </svg>
  );
}

/** What is not certain about the state, and whether a kill waits for it to become so. */
function contactNote(run: Run): string | null {
  const note = isLive(run.state) ? 'out of touch' : 'may come back';
  const isCertain = isLive(run.state) ? run.connected : run.state !== 'lost' || run.final;
  if (isCertain) return null;
  return awaitedByKill.value.has(run.id) ? `${note}, kill waits` : note;
}

function shapeOf(state: RunState): JSX.Element {
  switch (state) {
    case 'running':
      return <circle class="pulse" cx="8" cy="8" r="5" fill="currentColor" />;
    case 'killing':
      return (
        <>
          <circle cx="8" cy="8" r="6" class="stroke" />
          <rect class="pulse" x="5.25" y="5.25" width="5.5" height="5.5" fill="currentColor" />
        </>
      );
    case 'succeeded':
      return <path d="m3 8.5 3.4 3.4L13 4.6" class="stroke" />;
    case 'failed':
      return <path d="m4 4 8 8m0-8-8 8" class="stroke" />;
    case 'killed':
      return <rect x="3.5" y="3.5" width="9" height="9" rx="1" fill="currentColor" />;
    case 'timed_out':
      return <path d="M8 4.5V8l2.4 1.8M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z" class="stroke" />;
    case 'lost':
      return (
        <>
          <circle cx="8" cy="8" r="6" class="stroke dashed" />
          <circle cx="8" cy="8" r="1.6" fill="currentColor" />
        </>
      );
    case 'errored':
      return <path d="M8 6.4v3M8 11.5v.2M8 2.3 14.2 13H1.8Z" class="stroke" />;
  }
}
