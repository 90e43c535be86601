import type { OverdueRun } from '#protocol/expectations';
import { json, Table, text } from '../../storage/table.ts';

/** The table `overdue_runs`: those that were late or missed, and are not any more, until D1 has them. */
export const OVERDUE_RUN_COLUMNS = {
  id: text(),
  resource: json<OverdueRun>(),
};

export class OverdueRunStore extends Table<typeof OVERDUE_RUN_COLUMNS> {
  constructor(sql: SqlStorage) {
    super(sql, 'overdue_runs', OVERDUE_RUN_COLUMNS);
  }

  /** @returns its id */
  add(resource: OverdueRun): string {
    const id = `${resource.machine ?? ''}/${resource.judged_at}`;
    if (this.get(id) === null) this.insert({ id, resource });
    return id;
  }
}
