/** How high the rows of lists are, as last chosen in this browser. Cards on narrow screens ignore it. */
import { effect, signal } from '@preact/signals';

const KEY = 'leash.density';

/** Whether rows take as little height as they can. */
export const isCompact = signal(remembered());

effect(() => {
  document.documentElement.dataset.density = isCompact.value ? 'compact' : 'usual';
});

export function DensityToggle() {
  const toggle = () => {
    isCompact.value = !isCompact.peek();
    try {
      localStorage.setItem(KEY, isCompact.peek() ? 'compact' : 'usual');
    } catch {
      // Refused by the browser: then it holds until the page is left.
    }
  };
  return (
    <button type="button" class="chip density" aria-pressed={isCompact.value} onClick={toggle}>
      Compact
    </button>
  );
}

function remembered(): boolean {
  try {
    return localStorage.getItem(KEY) === 'compact';
  } catch {
    // As above.
    return false;
  }
}
