/** What was found, in words. Pure. */
import type { Finding, Report } from '#protocol/report';
import { countText } from '../../format/quantity.ts';

/** What is wrong now; what was, and is over; what someone has decided. */
export const SECTIONS = ['open', 'over', 'decided'] as const;
export type Section = (typeof SECTIONS)[number];

export const SECTION_NAMES: Readonly<Record<Section, string>> = {
  open: 'Needs a look',
  over: 'Over by now',
  decided: 'Skipped or killed',
};

/** @param findings of a job, the worst first */
export function sectionOf([worst]: readonly Finding[]): Section {
  if (worst === undefined) return 'decided';
  if (worst.kind === 'skipped' || worst.kind === 'killed') return 'decided';
  return worst.is_over ? 'over' : 'open';
}

/** What was looked at, so that "nothing" can be believed. */
export function checkedText({ checked }: Report): string {
  const { runs, jobs, machines } = checked;
  if (runs === 0) return 'No run started in this period.';
  return `${countText(runs, 'run')} of ${countText(jobs, 'job')} on ${countText(machines, 'machine')} started.`;
}

/** `3 jobs need a look`. */
export function summaryText(counts: Readonly<Record<Section, number>>): string {
  const { open, over, decided } = counts;
  if (open + over + decided === 0) return 'Nothing to look at.';
  const parts = [
    open === 0 ? 'nothing needs a look' : `${countText(open, 'job')} ${open === 1 ? 'needs' : 'need'} a look`,
    over === 0 ? null : `${countText(over, 'job')} recovered`,
    decided === 0 ? null : `${countText(decided, 'job')} skipped or killed`,
  ];
  const text = parts.filter((part) => part !== null).join(', ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** How many findings a newer report has that the shown one lacks, or that have happened again since. */
export function newerFindings(shown: Report, newer: Report): number {
  const known = new Map(
    shown.jobs.flatMap(({ job, findings }) => findings.map((finding) => [`${job}/${finding.kind}`, finding] as const)),
  );
  return newer.jobs
    .flatMap(({ job, findings }) =>
      findings.map((finding) => ({ finding, before: known.get(`${job}/${finding.kind}`) })),
    )
    .filter(({ finding, before }) => before === undefined || finding.count > before.count).length;
}
