/** Connects a test's Saltpeter wrapper to the Worker under test. */
import type { Run } from '#protocol/api';
import { toValidName } from '#protocol/names';
import type { SaltpeterNames } from '#protocol/saltpeter-link';
import { TestSaltpeterWrapper } from '#testing/test-saltpeter-wrapper';
import { request } from './api.ts';
import { env } from './env.ts';
import { run } from './objects.ts';
import { query } from './storage.ts';

export { saltpeterNames } from '#testing/test-saltpeter-wrapper';

export function requestSaltpeter(authorization: string | null): Promise<Response> {
  return request('/compat/saltpeter', {
    headers: { Upgrade: 'websocket', ...(authorization !== null && { Authorization: authorization }) },
  });
}

export function basic(token: string, user = 'leash'): string {
  return `Basic ${btoa(`${user}:${token}`)}`;
}

export async function connectSaltpeter(names: SaltpeterNames, token = env.LEASH_ADMIN_TOKEN) {
  const response = await requestSaltpeter(basic(token));
  if (response.webSocket === null) throw new Error(`not connected: ${response.status} ${await response.text()}`);
  const wrapper = new TestSaltpeterWrapper(names, response.webSocket);
  response.webSocket.accept();
  return wrapper;
}

/** The run of an instance on a machine, as the job's object has it; the newest, if there are several. */
export async function runOf(names: SaltpeterNames): Promise<Run> {
  const job = toValidName(names.job_name);
  const [newest] = await query<{ id: string }>(
    job,
    `SELECT id FROM runs WHERE instance = '${toValidName(names.job_instance)}' AND machine = '${toValidName(names.machine)}'
     ORDER BY id DESC LIMIT 1`,
  );
  const found = newest === undefined ? null : await run(job, newest.id);
  if (found === null) throw new Error(`no run of ${names.job_instance}`);
  return found;
}

export async function outputOf(names: SaltpeterNames): Promise<string> {
  const { id, job } = await runOf(names);
  const rows = await query<{ text: string }>(
    job,
    `SELECT CAST(bytes AS TEXT) AS text FROM output WHERE run = '${id}' ORDER BY start`,
  );
  return rows.map(({ text }) => text).join('');
}
