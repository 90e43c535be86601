/** A run's state by shape, word and colour: any one of them is enough. */
import './run-state.css';
import type { Run } from '#protocol/api';
import { isLive, type RunState } from '#protocol/run-state';
import { STATE_LABELS } from '../format/run-state-labels.ts';
import { awaitedByKill } from '../state/kills.ts';
import { refOf } from '../state/run-ref.ts';
import { STATE_SHAPES } from './state-shapes.ts';

export function RunStateBadge({ run }: { readonly run: Run }) {
  return (
    <StateBadge
      state={run.state}
      isConnected={run.connected}
      note={contactNote(run) ?? (isSlow(run) ? 'slow' : null)}
    />
  );
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
        <span class="state-word">{STATE_LABELS[state]}</span>
        {note !== null && <span class="state-note">{note}</span>}
      </span>
    </span>
  );
}

/** The shape alone, next to a text that names the state. */
export function StateShape({ state, px }: { readonly state: RunState; readonly px: number }) {
  const { fill, stroke, isDashed = false, pulses = false } = STATE_SHAPES[state];
  return (
    <svg viewBox="0 0 16 16" width={px} height={px} aria-hidden="true">
      {stroke !== undefined && <path d={stroke} class={isDashed ? 'stroke dashed' : 'stroke'} />}
      {fill !== undefined && <path d={fill} class={pulses ? 'pulse' : undefined} fill="currentColor" />}
    </svg>
  );
}

/** What is not certain about the state, and whether a kill waits for it to become so. */
function contactNote(run: Run): string | null {
  const note = isLive(run.state) ? 'disconnected' : 'may reconnect';
  const isCertain = isLive(run.state) ? run.connected : run.state !== 'lost' || run.final;
  if (isCertain) return null;
  return awaitedByKill.value.has(refOf(run)) ? `${note}, kill pending` : note;
}

/** Whether it has been running for longer than is expected of it. */
export function isSlow({ state, slow_since }: Run): boolean {
  return isLive(state) && slow_since !== null;
}
