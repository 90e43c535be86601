import { useState } from 'preact/hooks';
import { rememberedWrap, rememberWrap } from '../../output/remembered-wrap.ts';
import type { ViewSettings } from '../../output/terminal-view.ts';

/** How the output is shown, as the reader has set it. Whether lines are wrapped is remembered for the next run. */
export function useViewSettings(): [ViewSettings, (changed: ViewSettings) => void] {
  const [settings, setSettings] = useState<ViewSettings>(() => ({ wrap: rememberedWrap(), choice: 'both' }));
  const change = (changed: ViewSettings) => {
    if (changed.wrap !== settings.wrap) rememberWrap(changed.wrap);
    setSettings(changed);
  };
  return [settings, change];
}
