/** How the Worker asks a job's object to take the connection of a Saltpeter wrapper, whose first frame it has read. */
import * as v from 'valibot';
import { SaltpeterNames } from '#protocol/saltpeter-link';

/** The object's path for it. */
export const SALTPETER_PATH = '/connect/saltpeter';

export const SaltpeterOpening = v.object({
  names: SaltpeterNames,
  /** The command's process id, if the first frame says it: another one is another run. */
  pid: v.nullable(v.number()),
});
export type SaltpeterOpening = v.InferOutput<typeof SaltpeterOpening>;

const PARAMETER = 'opening';

export function openingParameter(opening: SaltpeterOpening): Record<string, string> {
  return { [PARAMETER]: JSON.stringify(opening) };
}

export function readOpening(parameters: URLSearchParams): SaltpeterOpening {
  return v.parse(SaltpeterOpening, JSON.parse(parameters.get(PARAMETER) ?? ''));
}

/** For the Worker, not for the wrapper: is the wrapper still there? */
export const SALTPETER_PROBE = 'probe';
