/** The filters of history and chart. The state symbols are those of the chart. */
import type { RefObject } from 'preact';
import { DensityToggle } from '../../components/density.tsx';
import { STATE_LABELS } from '../../format/run-state-labels.ts';
import { setFilter } from '../../router.tsx';
import { choiceOf, isFiltered, type RunFilter, STATE_CHOICES, toggledStates } from './filter.ts';
import { MarkSign } from './marks.tsx';

interface FiltersProps {
  readonly place: RefObject<HTMLElement | null>;
  readonly filter: RunFilter;
  /** Those that are known to have run it. */
  readonly machines: readonly string[];
}

export function Filters({ place, filter, machines }: FiltersProps) {
  const chosen = new Set(filter.states.map(choiceOf));
  const choices =
    filter.machine === null || machines.includes(filter.machine) ? machines : [filter.machine, ...machines];
  return (
    <search ref={place} class="filters sticky" aria-label="Filter the history">
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more */}
      <div class="chips" role="group" aria-label="States">
        <button type="button" class="chip" aria-pressed={chosen.size === 0} onClick={() => setFilter({ state: null })}>
          All
        </button>
        {STATE_CHOICES.map((choice) => (
          <button
            key={choice}
            type="button"
            class="chip"
            data-choice={choice}
            aria-pressed={chosen.has(choice)}
            onClick={() => setFilter({ state: toggledStates(filter, choice) })}
          >
            <MarkSign state={choice} />
            {STATE_LABELS[choice]}
          </button>
        ))}
      </div>
      <select
        class="job-machine"
        aria-label="Machine"
        value={filter.machine ?? ''}
        onChange={(event) => setFilter({ machine: event.currentTarget.value })}
      >
        <option value="">{choices.length > 1 ? `All ${choices.length} machines` : 'All machines'}</option>
        {choices.map((machine) => (
          <option key={machine} value={machine}>
            {machine}
          </option>
        ))}
      </select>
      {filter.instance !== null && (
        <button
          type="button"
          class="chip job-instance"
          aria-label={`Instance ${filter.instance}: clear filter`}
          onClick={() => setFilter({ instance: null })}
        >
          instance {filter.instance} <span aria-hidden="true">×</span>
        </button>
      )}
      {isFiltered(filter) && (
        <button type="button" class="button quiet" onClick={showAll}>
          Clear filter
        </button>
      )}
      <DensityToggle />
    </search>
  );
}

export function showAll(): void {
  setFilter({ state: null, machine: null, instance: null });
}
