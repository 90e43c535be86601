/** What is expected of a job, in words. Pure. */
import type { Expectation } from '#protocol/expectations';

export function placeText({ machine }: Pick<Expectation, 'machine'>): string {
  return machine ?? 'any machine';
}

export function isBroken({ state }: Pick<Expectation, 'state'>): boolean {
  return state === 'late' || state === 'missed';
}
