import type { JobOnMachine } from '../../shared/d1/report.ts';

/** A job on a machine, as a key. Neither name contains a slash. */
export function placeOf({ job, machine }: JobOnMachine): string {
  return `${job}/${machine}`;
}
