import './help-dialog.css';
import { ReadingDialog } from '../components/dialog.tsx';
import { shortcuts } from './shortcuts.ts';

/** What no shortcut of ours is needed for. */
const BROWSERS_OWN = [
  ['Enter', 'Open the focused item'],
  ['Esc', 'Close a dialog, leave a field'],
] as const;

/** What keys do here. */
export function HelpDialog({ close }: { close(): void }) {
  // The last one that came says what a key does.
  const byKey = new Map([...shortcuts.value.map(({ key, does }) => [key, does] as const), ...BROWSERS_OWN]);
  return (
    <ReadingDialog title="Keyboard shortcuts" class="help-dialog" close={close}>
      <dl class="keys">
        {[...byKey].map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </ReadingDialog>
  );
}
