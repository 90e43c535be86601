import type { Run } from '#protocol/api';
import { outputHref } from '../../api/calls.ts';
import { CopyButton } from '../../components/copy-button.tsx';
import type { StreamChoice } from '../../output/output-text.ts';
import type { ViewSettings } from '../../output/terminal-view.ts';
import { fileName } from './output-labels.ts';

interface OutputToolbarProps {
  readonly run: Run;
  readonly settings: ViewSettings;
  change(settings: ViewSettings): void;
  /** What is missing from the output, as text. */
  readonly missing: string | null;
  readonly isFinding: boolean;
  find(): void;
  copyText(): string;
  showText(): void;
  toldCopied(isCopied: boolean): void;
}

const STREAM_CHOICES: readonly { readonly choice: StreamChoice; readonly words: string }[] = [
  { choice: 'both', words: 'All output' },
  { choice: 'stdout', words: 'stdout only' },
  { choice: 'stderr', words: 'stderr only' },
];

export function OutputToolbar({
  run,
  settings,
  change,
  missing,
  isFinding,
  find,
  copyText,
  showText,
  toldCopied,
}: OutputToolbarProps) {
  return (
    <div class="output-toolbar" role="toolbar" aria-label="Output" onKeyDown={moveFocus}>
      <select
        aria-label="Streams"
        value={settings.choice}
        onChange={(event) => {
          const chosen = STREAM_CHOICES.find(({ choice }) => choice === event.currentTarget.value);
          if (chosen !== undefined) change({ ...settings, choice: chosen.choice });
        }}
      >
        {STREAM_CHOICES.map(({ choice, words }) => (
          <option key={choice} value={choice}>
            {words}
          </option>
        ))}
      </select>
      <button type="button" class="button quiet" aria-expanded={isFinding} onClick={find}>
        Find
      </button>
      <button
        type="button"
        class="button quiet toggle"
        aria-pressed={settings.wrap}
        onClick={() => change({ ...settings, wrap: !settings.wrap })}
      >
        Wrap
      </button>
      <CopyButton text={copyText} label="Copy the selection or all loaded output" told={toldCopied} />
      <button type="button" class="button quiet" onClick={showText}>
        Text view
      </button>
      <a class="button quiet" href={outputHref(run)} download={fileName(run)}>
        Download
      </a>
      <a class="button quiet" href={outputHref(run)} target="_blank" rel="noreferrer">
        Raw
      </a>
      {missing !== null && <span class="aside missing">{missing}</span>}
    </div>
  );
}

/** The arrow keys move between a toolbar's controls. */
function moveFocus(event: KeyboardEvent & { readonly currentTarget: HTMLElement }): void {
  const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
  if (step === 0 || event.target instanceof HTMLSelectElement) return;
  const parts = [...event.currentTarget.querySelectorAll<HTMLElement>('select, button, a')];
  const at = parts.findIndex((part) => part.matches(':focus'));
  parts.at((at + step) % parts.length)?.focus();
  event.preventDefault();
}
