/** What the control plane says of a round once it is over. */

import * as v from 'valibot';
import type { Kill, Run, RunEvent } from '#protocol/api';
import { EventList, GAPS_HEADER, KillList, MISSING_BYTES_HEADER, NEXT_OFFSET_HEADER } from '#protocol/api';
import type { ApiClient } from '../../scripts/local/api-client.ts';
import type { ChaosRun } from './run.ts';
import type { StreamName } from './schedule.ts';

export interface ReportedOutput {
  /** Of each stream what lies before, between and after the gaps. */
  readonly pieces: Readonly<Record<StreamName, readonly Buffer[]>>;
  readonly missingBytes: number;
  /** Where the log of both streams ends. */
  readonly end: number;
}

export interface ReportedRun {
  readonly run: ChaosRun;
  /** From its object. */
  readonly now: Run;
  readonly events: readonly RunEvent[];
  readonly output: ReportedOutput;
}

/** When such an event happened for the first time. */
export function timeOf(events: readonly RunEvent[], type: RunEvent['type']): number | null {
  const event = events.find((each) => each.type === type);
  return event === undefined ? null : Date.parse(event.at);
}

const LONGEST_PAGE = '100';

/** All runs of a job, from the index. */
export function listedRuns(api: ApiClient, job: string): Promise<Run[]> {
  return api.runs({ job, limit: LONGEST_PAGE });
}

/** All kills of a job, from the index. */
export async function listedKills(api: ApiClient, job: string): Promise<Kill[]> {
  const query = new URLSearchParams({ job, limit: LONGEST_PAGE });
  return v.parse(KillList, await getJson(api, `/kills?${query}`)).kills;
}

export async function fetchRun(api: ApiClient, run: ChaosRun, id: string): Promise<ReportedRun> {
  const [now, events, output] = await Promise.all([api.run(id), allEvents(api, id), fetchOutput(api, id)]);
  return { run, now, events, output };
}

async function allEvents(api: ApiClient, id: string): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for (let cursor = ''; ; ) {
    const query = new URLSearchParams({ limit: LONGEST_PAGE, ...(cursor === '' ? {} : { cursor }) });
    const { events, next_cursor } = v.parse(EventList, await getJson(api, `/runs/${id}/events?${query}`));
    all.push(...events);
    if (next_cursor === null) return all;
    cursor = next_cursor;
  }
}

async function getJson(api: ApiClient, path: string): Promise<unknown> {
  const response = await api.request('GET', path);
  if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
  return await response.json();
}

async function fetchOutput(api: ApiClient, id: string): Promise<ReportedOutput> {
  const whole = await api.request('GET', `/runs/${id}/output`);
  await whole.arrayBuffer();
  const gapEnds = (whole.headers.get(GAPS_HEADER) ?? '')
    .split(',')
    .flatMap((gap) => (gap === '' ? [] : [Number(gap.split('-')[1])]));
  const starts = [0, ...gapEnds];
  const [stdout, stderr] = await Promise.all([pieces(api, id, 'stdout', starts), pieces(api, id, 'stderr', starts)]);
  return {
    pieces: { stdout, stderr },
    missingBytes: Number(whole.headers.get(MISSING_BYTES_HEADER)),
    end: Number(whole.headers.get(NEXT_OFFSET_HEADER)),
  };
}

/** What a stream has from each of these offsets to the next one. */
async function pieces(api: ApiClient, id: string, stream: StreamName, starts: readonly number[]): Promise<Buffer[]> {
  const rests = await Promise.all(
    starts.map(async (start) => Buffer.from((await api.output(id, { stream, offset: String(start) })).bytes)),
  );
  return rests.map((rest, index) => rest.subarray(0, rest.length - (rests[index + 1]?.length ?? 0)));
}
