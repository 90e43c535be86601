/** The index in D1 says of each run and kill what its object says. */
import { isDeepStrictEqual } from 'node:util';
import type { Kill, Run } from '#protocol/api';
import type { ApiClient } from '../../../scripts/local/api-client.ts';
import type { TestEnvironment } from '../../support/test-environment.ts';
import { listedKills, listedRuns } from '../reported-run.ts';

/** @returns what differs; null when nothing does. The index may be a moment behind. */
export async function differenceOfIndex(
  environment: TestEnvironment,
  api: ApiClient,
  job: string,
): Promise<string | null> {
  for (const listed of await listedRuns(api, job)) {
    const now = await api.run(listed.id);
    if (!isDeepStrictEqual(withoutBytes(listed), withoutBytes(now)))
      return `the index says ${JSON.stringify(listed)}, the object ${JSON.stringify(now)}`;
  }
  const kills = await listedKills(api, job);
  for (const listed of kills) {
    const now = await api.getKill(listed.id);
    if (!isDeepStrictEqual(listed, now))
      return `the index says ${JSON.stringify(listed)}, the object ${JSON.stringify(now)}`;
  }
  return differenceOfRows(environment, job, kills);
}

/** What only the database knows: whether the object has accepted each kill, and that the audit log has each once. */
async function differenceOfRows(
  environment: TestEnvironment,
  job: string,
  kills: readonly Kill[],
): Promise<string | null> {
  const waiting = await environment.controlPlane.query('SELECT id FROM kills WHERE job = ? AND accepted = 0', job);
  if (waiting.length > 0) return `no object has accepted the kills ${JSON.stringify(waiting)}`;
  const audited = await environment.controlPlane.query(
    "SELECT detail FROM audit WHERE action = 'kill' AND subject = ?",
    job,
  );
  if (audited.length !== kills.length) return `of ${kills.length} kills of ${job} the audit has ${audited.length}`;
  return null;
}

/** In the index they are those of the last change of state. */
function withoutBytes({ output_bytes: _bytes, ...run }: Run): Omit<Run, 'output_bytes'> {
  return run;
}
