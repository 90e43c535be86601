import { useRef } from 'preact/hooks';
import { useShortcuts } from '../keyboard/shortcuts.ts';
import { query, setFilter } from '../router.tsx';

/** Filters the view while one types; the address follows. `/` focuses it. */
export function FilterField() {
  const field = useRef<HTMLInputElement | null>(null);
  useShortcuts([{ key: '/', does: 'Filter', run: () => field.current?.select() }]);
  return (
    <input
      ref={field}
      type="search"
      class="filter"
      aria-label="Filter by job, machine or state"
      placeholder="Filter by job, machine or state"
      title="Type to filter. Prefix with job:, machine:, state: or tag: to match one field."
      autocomplete="off"
      autocapitalize="off"
      spellcheck={false}
      value={query.value.get('q') ?? ''}
      onInput={(event) => setFilter({ q: event.currentTarget.value })}
    />
  );
}
