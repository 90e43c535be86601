/** Shows what was found: as text for people, as JSON for programs, and as an exit code. */
import { printable } from '../logging/log.ts';
import { type Finding, isProblem, type Section, type SectionId, type Status } from './finding.ts';

export const TITLES: Readonly<Record<SectionId, string>> = {
  program: 'Program',
  settings: 'Settings',
  token: 'Token',
  way: 'Way to the control plane',
  rights: 'What the token may do',
  version: 'Version',
  clock: 'Clock',
  state: 'State directory',
  memory: 'Memory directory',
  cgroup: 'Control group',
  cron: 'cron',
  limits: 'User limits',
  trial: 'Test run',
};

export interface Style {
  /** Columns of the terminal. */
  readonly width: number;
  readonly colours: boolean;
}

const LABELS: Readonly<Record<Status, string>> = { ok: 'ok', note: 'note', warning: 'warning', problem: 'PROBLEM' };
/** `PROBLEM`, and the space around it. */
const INDENT = 11;
/** Wider lines are hard to read. */
const MAX_WIDTH = 100;
const MIN_WIDTH = 40;

/** SGR. The terminal's own palette, so that it can be read on light and on dark. */
const COLOURS: Readonly<Record<Status, string>> = { ok: '32', note: '2', warning: '33', problem: '1;31' };

export function sectionText({ id, findings }: Section, style: Style): string {
  const title = paint(TITLES[id], '1', style);
  return `\n${title}\n${findings.map((finding) => findingText(finding, style)).join('')}`;
}

function findingText(finding: Finding, style: Style): string {
  const label = `  ${LABELS[finding.status]}`.padEnd(INDENT);
  const [first = '', ...rest] = wrap(printable(finding.what), style);
  const remedy = 'remedy' in finding ? wrap(`→ ${printable(finding.remedy)}`, style) : [];
  const lines = [
    paint(label, COLOURS[finding.status], style) + first,
    ...[...rest, ...remedy].map((line) => ' '.repeat(INDENT) + line),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Words on lines; a word that is longer than a line keeps its own. */
export function wrap(text: string, { width }: Pick<Style, 'width'>): string[] {
  const room = Math.max(MIN_WIDTH, Math.min(MAX_WIDTH, width)) - INDENT;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function paint(text: string, sgr: string, { colours }: Style): string {
  return colours ? `\x1b[${sgr}m${text}\x1b[0m` : text;
}

export function summaryText(sections: readonly Section[], style: Style): string {
  const problems = countOf('problem', sections);
  const warnings = countOf('warning', sections);
  if (problems + warnings === 0) return `\n${paint('All is well.', '32', style)}\n`;
  const parts = [
    ...(problems > 0 ? [paint(plural(problems, 'problem'), COLOURS.problem, style)] : []),
    ...(warnings > 0 ? [paint(plural(warnings, 'warning'), COLOURS.warning, style)] : []),
  ];
  const first =
    problems > 0 ? `, the first in “${firstProblem(sections)}”: mend that one first, it may cause others` : '';
  return `\n${wrap(`${parts.join(' and ')}${problems > 1 ? first : ''}.`, { width: style.width }).join('\n')}\n`;
}

function firstProblem(sections: readonly Section[]): string {
  const first = sections.find(({ findings }) => findings.some(({ status }) => status === 'problem'));
  return first === undefined ? '' : TITLES[first.id];
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function countOf(status: Status, sections: readonly Section[]): number {
  return sections.flatMap(({ findings }) => findings).filter((each) => each.status === status).length;
}

export interface Subject {
  readonly version: string;
  readonly machine: string;
  readonly url: string | null;
}

/** One object: the same names and values in every version; new ones may be added. */
export function reportJson({ version, machine, url }: Subject, sections: readonly Section[]): object {
  return {
    version,
    machine,
    url,
    problems: countOf('problem', sections),
    warnings: countOf('warning', sections),
    findings: sections.flatMap(({ id, findings }) =>
      findings.map((finding) => ({
        section: id,
        check: finding.check,
        status: finding.status,
        message: finding.what,
        remedy: 'remedy' in finding ? finding.remedy : null,
      })),
    ),
  };
}

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_UNREACHABLE = 6;

export function exitCodeFor(sections: readonly Section[]): number {
  const broken = sections.filter(({ findings }) => findings.some(isProblem));
  if (broken.some(({ id }) => id === 'way')) return EXIT_UNREACHABLE;
  return broken.length === 0 ? EXIT_OK : EXIT_FAILED;
}
