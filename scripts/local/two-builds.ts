/**
 * Two builds of the Worker in one control plane, as for some minutes after a deploy: each part of it runs the code of this
 * build or of the other one, and all of them share D1.
 */
import type { Deployment } from './deployment.ts';
import type { WorkerBuild } from './releases.ts';

/** The parts of a control plane that call each other: the Worker, and the classes of objects by their bindings. */
export type ControlPlanePart = 'worker' | 'JOBS' | 'FLEET' | 'D1_GATEWAY';

export interface OtherBuild extends WorkerBuild {
  /** What runs its code. */
  readonly parts: readonly ControlPlanePart[];
}

type WorkerOptions = Deployment['workerOptions'];

interface ScriptBuild {
  readonly name: string;
  readonly isOther: boolean;
  readonly options: WorkerOptions;
}

/** @returns the options of each of the two scripts. The first one gets the requests */
export function twoBuilds(own: WorkerOptions, other: OtherBuild): ScriptBuild[] {
  const scripts = { own: 'leash', other: 'leash-other' };
  const durableObjects = Object.fromEntries(
    Object.entries(own.durableObjects ?? {}).map(([binding, designator]) => {
      const isOther = other.parts.some((part) => part === binding);
      const scriptName = isOther ? scripts.other : scripts.own;
      return [binding, { ...(typeof designator === 'string' ? { className: designator } : designator), scriptName }];
    }),
  );
  const shared = { ...own, durableObjects } as WorkerOptions;
  const builds = [
    { name: scripts.own, isOther: false, options: shared },
    {
      name: scripts.other,
      isOther: true,
      options: {
        ...shared,
        compatibilityDate: other.compatibilityDate,
        compatibilityFlags: [...other.compatibilityFlags],
        bindings: { ...other.vars },
      } as WorkerOptions,
    },
  ];
  return other.parts.includes('worker') ? builds.reverse() : builds;
}
