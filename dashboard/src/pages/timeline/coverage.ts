/** Which stretches of time are known whole, so that only what is missing is asked for. Pure. */
import type { Period } from './view.ts';

/** Apart from each other, the earliest first. One that reaches to the present, which is kept up to date, ends at Infinity. */
export type Coverage = readonly Period[];

export function missing(covered: Coverage, wanted: Period): Period[] {
  const gaps: Period[] = [];
  let { from } = wanted;
  for (const known of covered) {
    if (known.to <= from) continue;
    if (known.from >= wanted.to) break;
    if (known.from > from) gaps.push({ from, to: known.from });
    from = known.to;
  }
  if (from < wanted.to) gaps.push({ from, to: wanted.to });
  return gaps;
}

export function withPeriod(covered: Coverage, added: Period): Coverage {
  const apart = covered.filter(({ from, to }) => to < added.from || from > added.to);
  const joined = covered.filter((period) => !apart.includes(period));
  const from = Math.min(added.from, ...joined.map((period) => period.from));
  const to = Math.max(added.to, ...joined.map((period) => period.to));
  return [...apart, { from, to }].sort((a, b) => a.from - b.from);
}

/** What of it is left when all that lies outside is forgotten. */
export function within(covered: Coverage, kept: Period): Coverage {
  return covered.flatMap(({ from, to }) => {
    const left = { from: Math.max(from, kept.from), to: Math.min(to, kept.to) };
    return left.from < left.to ? [left] : [];
  });
}
