/** A kill's targets, by what has become of them. Pure. */
import type { Target } from '#protocol/api';
import { TARGET_STATES, type TargetState } from '#protocol/kill';
import { hasSurvivors } from '../../state/survivors.ts';

/** web-2 comes before web-10. */
const BY_NAME = new Intl.Collator('en', { numeric: true });

/** The filters of the list of targets. */
export type TargetShow = TargetState | 'survivors';

export interface TargetGroup {
  readonly show: TargetShow;
  readonly count: number;
}

/** Only groups that exist: first what needs attention, then what is in progress, then what is done. */
export function targetGroups(targets: readonly Target[]): TargetGroup[] {
  const order: readonly TargetShow[] = ['survivors', 'lost', ...TARGET_STATES.filter((state) => state !== 'lost')];
  return order
    .map((show) => ({ show, count: targets.filter((target) => isShown(target, show)).length }))
    .filter(({ count }) => count > 0);
}

/** By machine, so that a row stays where the eye has found it. */
export function shownTargets(targets: readonly Target[], show: TargetShow | null): Target[] {
  return targets
    .filter((target) => show === null || isShown(target, show))
    .sort((a, b) => BY_NAME.compare(a.machine, b.machine) || BY_NAME.compare(a.run, b.run));
}

function isShown(target: Target, show: TargetShow): boolean {
  return show === 'survivors' ? hasSurvivors(target) : target.state === show;
}
