/** What a report finds, by job, from what was read. Pure. */
import { decodeTime } from 'ulid';
import * as v from 'valibot';
import type { Expectation, OverdueRun } from '#protocol/expectations';
import { FINDING_KINDS, type Finding, type FindingKind } from '#protocol/report';
import { isBadEnd, RunState } from '#protocol/run-state';
import type { JobOnMachine, KilledRow, LastEndRow, ReportData, RunRow } from '../../shared/d1/report.ts';
import { placeOf } from './place.ts';
import type { SlowRun } from './usual.ts';

/** Something that is found: a run, or that none has started. */
export interface Item extends JobOnMachine {
  readonly kind: FindingKind;
  readonly at: number;
  /** Null: it is about no run. */
  readonly run: string | null;
  /** Whether it is over. Null: if the job has ended well there since. */
  readonly isOver: boolean | null;
  readonly usualMs?: number;
  /** How many times as long as usual it took. */
  readonly factor?: number;
  readonly expectation?: Expectation;
  readonly overdue?: OverdueRun;
  readonly kill?: NonNullable<Finding['kill']>;
}

/** What is found of one kind in a job, the most telling item first. */
export interface FindingDraft {
  readonly kind: FindingKind;
  readonly items: readonly Item[];
  readonly isOver: boolean;
}

export interface JobDraft {
  readonly job: string;
  readonly findings: readonly FindingDraft[];
}

const EndKind = v.picklist(['failed', 'errored', 'timed_out', 'lost', 'skipped']);

/** @param until a run that is slow now is slow until then */
export function itemsOf(data: ReportData, slow: readonly SlowRun[], until: number): Item[] {
  const left = data.remarkable.filter(({ leftProcesses }) => leftProcesses === 1);
  return [
    ...data.ends.map((end) => itemOf(v.parse(EndKind, end.state), end, null)),
    ...data.killed.flatMap(killItems),
    ...data.expectations.map(expectationItem),
    ...data.overdueRuns.map(overdueItem),
    ...slowItems(data, slow, until),
    ...left.map((run) => itemOf('leftovers', run, false)),
  ];
}

function itemOf(kind: FindingKind, { job, machine, at, id }: RunRow, isOver: boolean | null): Item {
  return { kind, job, machine, at, run: id, isOver };
}

function killItems({ kill, requestedBy, reason, isKilled, hasSurvivors, ...run }: KilledRow): Item[] {
  const item = (kind: FindingKind, isOver: boolean): Item => ({
    ...itemOf(kind, { ...run, at: decodeTime(kill) }, isOver),
    kill: { id: kill, requested_by: requestedBy, reason },
  });
  return [...(isKilled === 1 ? [item('killed', true)] : []), ...(hasSurvivors === 1 ? [item('survivors', false)] : [])];
}

function expectationItem(expectation: Expectation): Item {
  const { job, machine, state, since } = expectation;
  const kind = state === 'missed' ? 'missed' : 'late';
  return { kind, job, machine: machine ?? '', at: Date.parse(since), run: null, isOver: false, expectation };
}

function overdueItem(overdue: OverdueRun): Item {
  const { job, machine, state, since, run } = overdue;
  return { kind: state, job, machine: machine ?? '', at: Date.parse(since), run, isOver: true, overdue };
}

/** What took longer than expected, or twice as long as usual. */
function slowItems({ remarkable }: ReportData, slow: readonly SlowRun[], until: number): Item[] {
  const unusual = new Map(
    slow.map(({ startedAt, tookMs, usualMs, factor, ...run }) => {
      const at = tookMs === null ? until : startedAt + tookMs;
      return [`${run.job}/${run.id}`, { ...itemOf('slow', { ...run, at }, tookMs !== null), usualMs, factor }];
    }),
  );
  const unexpected = remarkable
    .filter(({ job, id, isSlow }) => isSlow === 1 && !unusual.has(`${job}/${id}`))
    .map((run) => itemOf('slow', run.isAlive === 1 ? { ...run, at: until } : run, run.isAlive === 0));
  return [...unusual.values(), ...unexpected];
}

/** The jobs with what is found of them: what is not over first, the worst first, then the newest. */
export function draftJobs(items: readonly Item[], lastEnds: readonly LastEndRow[]): JobDraft[] {
  const last = new Map(lastEnds.map((end) => [placeOf(end), end]));
  const isOver = (item: Item) => item.isOver ?? hasRecovered(item, last.get(placeOf(item)));
  return [...Map.groupBy(items, ({ job }) => job)]
    .map(([job, own]) => ({ job, findings: draftFindings(own, isOver).sort(worstFirst) }))
    .sort(({ findings: [a] }, { findings: [b] }) => (a === undefined || b === undefined ? 0 : worstFirst(a, b)));
}

function draftFindings(items: readonly Item[], isOver: (item: Item) => boolean): FindingDraft[] {
  return [...Map.groupBy(items, ({ kind }) => kind)].map(([kind, own]) => ({
    kind,
    items: own.toSorted((a, b) => Number(isOver(a)) - Number(isOver(b)) || mostTellingFirst(a, b)),
    isOver: own.every(isOver),
  }));
}

/** The slowest, and otherwise the newest. */
function mostTellingFirst(a: Item, b: Item): number {
  return (b.factor ?? 0) - (a.factor ?? 0) || b.at - a.at;
}

/** Whether the job has ended well there since. */
function hasRecovered({ at }: Item, last: LastEndRow | undefined): boolean {
  return last !== undefined && last.endedAt > at && !isBadEnd(v.parse(RunState, last.state));
}

function worstFirst(a: FindingDraft, b: FindingDraft): number {
  return rankOf(a) - rankOf(b) || lastAt(b) - lastAt(a);
}

/** What was skipped or killed was decided by someone: it comes after what is over. */
function rankOf({ kind, isOver }: FindingDraft): number {
  const wasDecided = kind === 'skipped' || kind === 'killed';
  const part = wasDecided ? 2 : Number(isOver);
  return part * FINDING_KINDS.length + FINDING_KINDS.indexOf(kind);
}

export function firstAt({ items }: FindingDraft): number {
  return items.reduce((first, { at }) => Math.min(first, at), Number.POSITIVE_INFINITY);
}

export function lastAt({ items }: FindingDraft): number {
  return items.reduce((last, { at }) => Math.max(last, at), 0);
}
