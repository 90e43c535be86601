/** What is wrong with which job on which machine, for the rules that want to hear of its end. */
import type { AlertKind, Occurrence } from '#protocol/alerts';
import { formatDuration } from '#shared/format-duration';

/** Something that a rule has reported and that is not over. */
export interface Problem {
  readonly rule: string;
  readonly job: string;
  readonly machine: string | null;
  readonly kind: AlertKind;
  readonly run: string | null;
  readonly at: number;
}

type Row = { rule: string; job: string; machine: string; kind: AlertKind; run: string | null; at: number };

/** What a run that starts in time ends; all others end when a run succeeds. */
const OF_SCHEDULE: ReadonlySet<AlertKind> = new Set(['late', 'missed']);

/** What is left of a run on its machine: that the run itself has ended well ends nothing of it. */
const OF_PROCESSES: ReadonlySet<AlertKind> = new Set(['leftovers', 'survivors']);

/** What has no end. */
const ONE_TIME: ReadonlySet<AlertKind> = new Set(['recovered', 'skipped']);

export class ProblemStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** A rule reports it. */
  add(rule: string, { id, kind, job, machine, run, at }: Occurrence): void {
    if (kind === 'fine' || ONE_TIME.has(kind)) return;
    this.#sql.exec(
      `INSERT INTO problems (rule, job, machine, occurrence, kind, run, at) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
      rule,
      job,
      machine ?? '',
      id,
      kind,
      run,
      at,
    );
  }

  /** It was silenced, so its end is not reported either. */
  removeSilenced(rule: string, occurrences: readonly string[]): void {
    this.#sql.exec(
      'DELETE FROM problems WHERE rule = ? AND occurrence IN (SELECT value FROM json_each(?))',
      rule,
      JSON.stringify(occurrences),
    );
  }

  removeOfRule(rule: string): void {
    this.#sql.exec('DELETE FROM problems WHERE rule = ?', rule);
  }

  /** Those of before a time are forgotten: nobody waits for their end any more. */
  removeBefore(time: number): void {
    this.#sql.exec('DELETE FROM problems WHERE at < ?', time);
  }

  isEmpty(): boolean {
    return this.#sql.exec('SELECT 1 FROM problems LIMIT 1').toArray().length === 0;
  }

  /** Ends what an occurrence of kind `fine` ends. @returns what that was */
  end(fine: Occurrence): Problem[] {
    const ended = this.#at(fine).filter((problem) => isEndedBy(problem, fine));
    for (const { rule, job, machine, kind } of ended) {
      this.#sql.exec(
        'DELETE FROM problems WHERE job = ? AND machine = ? AND rule = ? AND kind = ?',
        job,
        machine ?? '',
        rule,
        kind,
      );
    }
    return ended;
  }

  #at({ job, machine }: Occurrence): Problem[] {
    const query = 'SELECT rule, job, machine, kind, run, at FROM problems WHERE job = ? AND machine = ?';
    return this.#sql
      .exec<Row>(query, job, machine ?? '')
      .toArray()
      .map((row) => ({ ...row, machine: row.machine === '' ? null : row.machine }));
  }
}

/** Without a run it says that the schedule is kept again; else that this run is fine. */
function isEndedBy(problem: Problem, fine: Occurrence): boolean {
  if (problem.at > fine.at) return false;
  if (fine.run === null) return OF_SCHEDULE.has(problem.kind);
  if (OF_SCHEDULE.has(problem.kind)) return false;
  // It comes again with each change of the run, after what has become of its processes as well.
  if (OF_PROCESSES.has(problem.kind) && problem.run === fine.run) return false;
  // A run that has ended well is good for all before it; one that is only alive again, for itself.
  return !fine.isAlive || (problem.run === fine.run && problem.kind === 'lost');
}

/** What a rule reports when problems of a job on a machine are over. */
export function recovery(fine: Occurrence, problems: readonly Problem[]): Occurrence {
  const since = Math.min(...problems.map(({ at }) => at));
  const kinds = [...new Set(problems.map(({ kind }) => kind.replaceAll('_', ' ')))].join(', ');
  return {
    ...fine,
    id: `${fine.id}:recovered`,
    kind: 'recovered',
    summary: `${fine.summary}, ${formatDuration(fine.at - since)} after: ${kinds}`,
  };
}
