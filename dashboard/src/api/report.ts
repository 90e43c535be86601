/** The calls of the pages "Last night" and "Machines". */
import { type Machine, MachineBody, MachineList } from '#protocol/machines';
import { type Report, ReportBody } from '#protocol/report';
import { everyPage, fetchPage, PAGE_SIZE, pick, type Whole, withQuery } from './calls.ts';
import type { Result } from './failure.ts';
import { callFor } from './http.ts';

/** @param since RFC 3339 */
export async function fetchReport(since: string): Promise<Result<Report>> {
  return pick(await callFor(ReportBody, { path: withQuery('/report', { since }) }), (body) => body.report);
}

export function fetchMachines(): Promise<Result<Whole<Machine>>> {
  return everyPage((cursor) =>
    fetchPage(MachineList, withQuery('/machines', { limit: PAGE_SIZE, cursor }), ({ machines }) => machines),
  );
}

export function fetchMachine(name: string): Promise<Result<MachineBody>> {
  return callFor(MachineBody, { path: `/machines/${encodeURIComponent(name)}` });
}
