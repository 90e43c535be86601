/**
 * Which runs, kills and expectations D1 does not have in their latest state.
 *
 * The row of each says up to which `seq` D1 has it, so a change is noted by the write that makes it. Only what
 * was removed here needs a row of its own, and what is kept here for D1 alone: which runs were overdue.
 */
import type { ExpectationStore } from './expectations/expectation-store.ts';
import type { OverdueRunStore } from './expectations/overdue-run-store.ts';
import { isDone } from './kill-controller.ts';
import type { KillStore } from './kill-store.ts';
import type { RunStore } from './run-store.ts';

/** A change that D1 lacks. Of a run or kill, the state at the time of sending is sent. */
export interface Entry {
  readonly kind: Kind | `removed_${Kind}` | 'overdue_run';
  readonly id: string;
  readonly seq: number;
}

/** The `seq` of what never changes. */
const UNCHANGING = 1;

/** What has an end, after which it does not change. */
const SETTLED_TABLES = { run: 'runs', kill: 'kills' } as const;
/** What changes and is removed. */
export type Kind = keyof typeof SETTLED_TABLES | 'expectation';

interface Stores {
  readonly sql: SqlStorage;
  readonly runs: RunStore;
  readonly kills: KillStore;
  readonly expectations: { readonly store: ExpectationStore; readonly overdueRuns: OverdueRunStore };
}

export class UnsentChanges {
  readonly #sql: SqlStorage;
  readonly #runs: RunStore;
  readonly #kills: KillStore;
  readonly #expectations: ExpectationStore;
  readonly #overdueRuns: OverdueRunStore;
  /** By kind and id. Null until they are read. */
  #entries: Map<string, Entry> | null = null;
  /** The keys of those that D1 did not take as they are. */
  readonly #tried = new Set<string>();

  constructor({ sql, runs, kills, expectations }: Stores) {
    this.#sql = sql;
    this.#runs = runs;
    this.#kills = kills;
    this.#expectations = expectations.store;
    this.#overdueRuns = expectations.overdueRuns;
  }

  get isEmpty(): boolean {
    return this.#all().size === 0;
  }

  /** What was not tried yet comes first, then what was tried longest ago. */
  list(): Iterable<Entry> {
    const all = this.#all();
    if (this.#tried.size === 0) return all.values();
    return [...all].sort(([one], [other]) => this.#wasTried(one) - this.#wasTried(other)).map(([, entry]) => entry);
  }

  /** A run, kill or expectation was changed to this `seq`, or D1 is to be sent it again. */
  add(kind: Kind, id: string, seq: number): void {
    if (kind !== 'expectation') this.#reopen(kind, id, seq);
    this.#set({ kind, id, seq });
  }

  /** Of one that D1 has, its settled state or this very `seq`. All others say so already. */
  #reopen(kind: keyof typeof SETTLED_TABLES, id: string, seq: number): void {
    const reopen = `UPDATE ${SETTLED_TABLES[kind]} SET sent_seq = min(sent_seq, ?1 - 1), settled = 0
      WHERE id = ?2 AND (settled = 1 OR sent_seq >= ?1)`;
    this.#sql.exec(reopen, seq, id);
  }

  /** A run that was overdue is stored for D1. */
  addOverdueRun(id: string): void {
    this.#set({ kind: 'overdue_run', id, seq: UNCHANGING });
  }

  /** A run, kill or expectation was removed. @param seq higher than any that it had */
  addRemoved(kind: Kind, id: string, seq: number): void {
    this.#sql.exec('INSERT OR REPLACE INTO tombstones (kind, id, seq) VALUES (?, ?, ?)', `removed_${kind}`, id, seq);
    this.#remove({ kind, id });
    this.#set({ kind: `removed_${kind}`, id, seq });
  }

  /** D1 has them. What has changed since is still unsent. */
  sent(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#markSent(entry);
      if (this.#all().get(keyOf(entry))?.seq === entry.seq) this.#remove(entry);
    }
  }

  /** D1 did not take them. What has changed since was not tried yet. */
  notSent(entries: readonly Entry[]): void {
    const all = this.#all();
    for (const entry of entries) {
      const key = keyOf(entry);
      if (all.get(key)?.seq !== entry.seq) continue;
      all.delete(key);
      all.set(key, entry);
      this.#tried.add(key);
    }
  }

  /** What is in memory may differ from what is stored. */
  refresh(): void {
    this.#entries = null;
    this.#tried.clear();
  }

  #wasTried(key: string): number {
    return Number(this.#tried.has(key));
  }

  #markSent({ kind, id, seq }: Entry): void {
    switch (kind) {
      case 'run': {
        const run = this.#runs.get(id);
        if (run !== null) this.#runs.patch(id, sentFields(run, seq, run.final));
        return;
      }
      case 'kill': {
        const kill = this.#kills.get(id);
        if (kill !== null) this.#kills.patch(id, sentFields(kill, seq, isDone(kill.state)));
        return;
      }
      case 'expectation':
        this.#expectations.patch(id, { sentSeq: seq });
        return;
      case 'overdue_run':
        this.#overdueRuns.remove(id);
        return;
      case 'removed_run':
      case 'removed_kill':
      case 'removed_expectation':
        this.#sql.exec('DELETE FROM tombstones WHERE kind = ? AND id = ? AND seq = ?', kind, id, seq);
        return;
    }
  }

  #set(entry: Entry): void {
    this.#tried.delete(keyOf(entry));
    this.#all().set(keyOf(entry), entry);
  }

  #remove(entry: Pick<Entry, 'kind' | 'id'>): void {
    this.#tried.delete(keyOf(entry));
    this.#all().delete(keyOf(entry));
  }

  #all(): Map<string, Entry> {
    this.#entries ??= new Map(this.#read().map((entry) => [keyOf(entry), entry]));
    return this.#entries;
  }

  #read(): Entry[] {
    return this.#sql
      .exec<{ kind: Entry['kind']; id: string; seq: number }>(
        `SELECT 'run' AS kind, id, seq FROM runs WHERE settled = 0 AND sent_seq < seq
         UNION ALL SELECT 'kill', id, seq FROM kills WHERE settled = 0 AND sent_seq < seq
         UNION ALL SELECT 'expectation', machine, seq FROM expectations WHERE sent_seq < seq
         UNION ALL SELECT 'overdue_run', id, ${UNCHANGING} FROM overdue_runs
         UNION ALL SELECT kind, id, seq FROM tombstones`,
      )
      .toArray();
  }
}

/** `settled` only when it becomes true: a column that is written is written to its index, too. */
function sentFields(record: { seq: number }, seq: number, isOver: boolean) {
  return isOver && record.seq === seq ? { sentSeq: seq, settled: true } : { sentSeq: seq };
}

function keyOf({ kind, id }: Pick<Entry, 'kind' | 'id'>): string {
  return `${kind} ${id}`;
}
