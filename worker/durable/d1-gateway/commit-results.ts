/** What became of runs in the index. */
import type { Run } from '#protocol/api';
import type { IndexedRun, RunIdConflict } from '../../shared/d1/run-id-conflicts.ts';
import type { NamesakeRun } from '../../shared/rpc/d1-gateway.ts';

/** The runs that the index has as they were sent. If it has a newer state, that was published before. */
export function indexedAsSent(sent: readonly Run[], rows: readonly IndexedRun[]): Run[] {
  const seqs = new Map(rows.map(({ job, id, seq }) => [`${job}/${id}`, seq]));
  return sent.filter(({ job, id, seq }) => seqs.get(`${job}/${id}`) === seq);
}

/** The runs whose id another job had reported before. */
export function conflictsToAudit(rows: readonly IndexedRun[]): RunIdConflict[] {
  return rows.flatMap(({ id, job, machine, otherJob, otherMachine, isSecond }) =>
    isSecond === 1 && otherJob !== null && otherMachine !== null
      ? [{ id, job, machine, first: { job: otherJob, machine: otherMachine } }]
      : [],
  );
}

/** The conflicts of one job's runs. */
export function conflictsOf(job: string, rows: readonly IndexedRun[]): NamesakeRun[] {
  return rows.flatMap((row) =>
    row.job === job && row.otherJob !== null ? [{ run: row.id, otherJob: row.otherJob }] : [],
  );
}
