/** A kill's state, and a target's, by shape, word and colour. */
import type { JSX } from 'preact';
import type { Kill, Target } from '#protocol/api';
import { type KillTone, killText, TARGET_STATE_LABELS, toneOf } from '../../format/kill-labels.ts';
import { hasSurvivors } from '../../state/survivors.ts';

export function KillStateBadge({ kill }: { readonly kill: Pick<Kill, 'state' | 'targets' | 'found_nothing'> }) {
  return <Badge tone={toneOf(kill)} word={killText(kill)} />;
}

export function TargetStateBadge({ target }: { readonly target: Target }) {
  const survived = hasSurvivors(target);
  return (
    <Badge tone={toneOfTarget(target)} word={survived ? 'processes survived' : TARGET_STATE_LABELS[target.state]} />
  );
}

function toneOfTarget(target: Target): KillTone {
  if (hasSurvivors(target)) return 'bad';
  switch (target.state) {
    case 'pending':
      return 'waiting';
    case 'sent':
    case 'delivered':
    case 'term':
    case 'kill':
      return 'active';
    case 'gone':
    case 'refused':
      return 'good';
    case 'lost':
      return 'warn';
  }
}

function Badge({ tone, word }: { readonly tone: KillTone; readonly word: string }) {
  return (
    <span class="kill-state" data-tone={tone}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        {SHAPES[tone]}
      </svg>
      {word}
    </span>
  );
}

const SHAPES: Readonly<Record<KillTone, JSX.Element>> = {
  waiting: <path d="M8 4.5V8l2.4 1.8M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z" class="stroke" />,
  active: (
    <>
      <circle cx="8" cy="8" r="6" class="stroke" />
      <rect class="pulse" x="5.25" y="5.25" width="5.5" height="5.5" fill="currentColor" />
    </>
  ),
  good: <path d="m3 8.5 3.4 3.4L13 4.6" class="stroke" />,
  warn: (
    <>
      <circle cx="8" cy="8" r="6" class="stroke dashed" />
      <circle cx="8" cy="8" r="1.6" fill="currentColor" />
    </>
  ),
  bad: <path d="M8 6.4v3M8 11.5v.2M8 2.3 14.2 13H1.8Z" class="stroke" />,
};
