/** Numbers with their units, as people read them. */
import { quantile } from '../measure/statistics.ts';

export type Unit = 'ms' | 's' | 'MB/s' | 'MiB' | 'KiB' | '%' | '×' | '$' | '';

export interface Quantity {
  readonly value: number;
  readonly unit: Unit;
}

/** A number of things. */
export function count(value: number): Quantity {
  return { value, unit: '' };
}

export function ms(value: number): Quantity {
  return { value, unit: 'ms' };
}

/** Quantiles of times, in milliseconds. */
export function quantilesMs(times: readonly number[], ...shares: readonly number[]): Quantity[] {
  return shares.map((share) => ms(quantile(times, share)));
}

/** `3.70 ms`, `889 ms`, `2.24 ×`, `$0.000016`, `1,204`; a dash for what could not be measured. */
export function formatQuantity({ value, unit }: Quantity): string {
  if (!Number.isFinite(value)) return '–';
  if (unit === '') return formatNumber(value, Number.isInteger(value) ? 0 : decimals(value));
  if (unit === '$') return formatDollars(value);
  return `${formatNumber(value, decimals(value))} ${unit}`;
}

/** Three significant digits: no measurement here is more exact. */
function decimals(value: number): number {
  return Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
}

function formatNumber(value: number, digits: number): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Cents, or two significant digits of what is less than a dollar. */
function formatDollars(value: number): string {
  const options =
    value >= 1
      ? { minimumFractionDigits: 2, maximumFractionDigits: 2 }
      : { minimumSignificantDigits: 2, maximumSignificantDigits: 2 };
  return `$${value.toLocaleString('en', options)}`;
}
