/** What a bench hands back: tables of what it measured, and how that compares with its aims. */
import type { Chart } from './chart.ts';
import type { Quantity } from './quantity.ts';

export type Cell = Quantity | string | null;

export interface Row {
  readonly name: string;
  readonly cells: readonly Cell[];
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

export type Relation = '≤' | '<' | '≥' | '=';

/** A promise about a number. The limit may itself have been measured: a floor, or another condition of the same run. */
export interface Aim {
  readonly name: string;
  readonly measured: Quantity;
  readonly relation: Relation;
  readonly limit: Quantity;
}

export interface BenchResult {
  readonly tables: readonly Table[];
  readonly aims: readonly Aim[];
  /** What a reader has to know to read the numbers, one sentence each. */
  readonly notes: readonly string[];
  /** For docs/performance.md. */
  readonly chart?: Chart;
}

/** One bench's result, as it is printed and kept. */
export interface Report {
  readonly name: string;
  readonly title: string;
  readonly seconds: number;
  readonly result: BenchResult;
}

/** Whether an aim is met. What could not be measured meets none. */
export function isMet({ measured: { value }, relation, limit }: Aim): boolean {
  switch (relation) {
    case '≤':
      return value <= limit.value;
    case '<':
      return value < limit.value;
    case '≥':
      return value >= limit.value;
    case '=':
      return value === limit.value;
  }
}
