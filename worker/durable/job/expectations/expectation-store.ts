/** What is expected of this job's runs, and how far that holds. */
import type { ExpectationState, Expected } from '#protocol/expectations';
import { integer, json, nullable, type RecordOf, Table, text } from '../../storage/table.ts';
import type { Overdue } from './overdue.ts';

/** The table `expectations`. Times are milliseconds since 1970. */
export const EXPECTATION_COLUMNS = {
  /** Empty: a run on any machine fulfils it. */
  machine: text(),
  /** What the command line of the last run set. */
  fromRun: nullable(json<Expected>()),
  /** What an operator set, which has precedence. */
  fromOperator: nullable(json<Expected>()),
  setAt: integer(),
  state: text<ExpectationState>(),
  since: integer(),
  lastRun: nullable(text()),
  lastStartedAt: nullable(integer()),
  dueAt: nullable(integer()),
  /** When it has to be judged again, unless a run starts. */
  checkAt: nullable(integer()),
  /** Why it can't be judged. */
  problem: nullable(text()),
  /** The run that is late or missed. */
  overdue: nullable(json<Overdue>()),
  seq: integer(),
  /** Up to which `seq` D1 has it. For Outbox. */
  sentSeq: integer(),
};

export type ExpectationRecord = RecordOf<typeof EXPECTATION_COLUMNS>;

/** The name under which the job as a whole has an expectation. */
export const ANY_MACHINE = '';

export class ExpectationStore extends Table<typeof EXPECTATION_COLUMNS> {
  /** Null until it is asked for. Nearly all jobs have none, and are asked at each change of a run. */
  #isEmpty: boolean | null = null;

  constructor(sql: SqlStorage) {
    super(sql, 'expectations', EXPECTATION_COLUMNS, 'machine');
  }

  override isEmpty(): boolean {
    this.#isEmpty ??= super.isEmpty();
    return this.#isEmpty;
  }

  override insert(record: ExpectationRecord): void {
    super.insert(record);
    this.#isEmpty = false;
  }

  override remove(machine: string): void {
    super.remove(machine);
    this.#isEmpty = null;
  }

  /** What is in memory may not be stored. */
  refresh(): void {
    this.#isEmpty = null;
  }

  list(): ExpectationRecord[] {
    return this.select('ORDER BY machine');
  }

  count(): number {
    return this.sql.exec<{ count: number }>('SELECT count(*) AS count FROM expectations').one().count;
  }

  /** Those that have to be judged by a time. */
  dueBy(time: number): ExpectationRecord[] {
    return this.select('WHERE check_at <= ?', time);
  }

  /** When the first of them has to be judged; null: none has. */
  nextCheckAt(): number | null {
    return this.sql.exec<{ at: number | null }>('SELECT min(check_at) AS at FROM expectations').one().at;
  }
}

/** What counts of it. */
export function expectedOf({ fromOperator, fromRun }: Pick<ExpectationRecord, 'fromOperator' | 'fromRun'>): Expected {
  return fromOperator ?? fromRun ?? NOTHING_EXPECTED;
}

const NOTHING_EXPECTED: Expected = {
  every_ms: null,
  schedule: null,
  time_zone: null,
  late_after_ms: null,
  slow_after_ms: null,
};
