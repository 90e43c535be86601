/** Shows what was found: as text for people, as JSON for programs, and as an exit code. */
import { printable } from '../logging/log.ts';
import { EXIT, type ExitCode } from '../operator/exit-codes.ts';
import { type Style, styled, type Terminal } from '../operator/terminal.ts';
import { type Finding, isProblem, type Section, type SectionId, type Status } from './finding.ts';

const TITLES: Readonly<Record<SectionId, string>> = {
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

const LABELS: Readonly<Record<Status, string>> = { ok: 'ok', note: 'note', warning: 'warning', problem: 'PROBLEM' };
/** `PROBLEM`, and the space around it. */
const INDENT = 11;
/** Wider lines are hard to read. */
const MAX_WIDTH = 100;
const MIN_WIDTH = 40;

const STYLE_OF: Readonly<Record<Status, Style>> = { ok: 'green', note: 'dim', warning: 'yellow', problem: 'red' };
/** Where the output is no terminal. */
const DEFAULT_WIDTH = 80;

export function sectionText({ id, findings }: Section, terminal: Terminal): string {
  const title = styled(terminal, 'bold', TITLES[id]);
  return `\n${title}\n${findings.map((finding) => findingText(finding, terminal)).join('')}`;
}

function findingText(finding: Finding, terminal: Terminal): string {
  const label = `  ${LABELS[finding.status]}`.padEnd(INDENT);
  const [first = '', ...rest] = wrap(printable(finding.what), terminal);
  const remedy = 'remedy' in finding ? wrap(`→ ${printable(finding.remedy)}`, terminal) : [];
  const lines = [
    styled(terminal, STYLE_OF[finding.status], label) + first,
    ...[...rest, ...remedy].map((line) => ' '.repeat(INDENT) + line),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Words on lines; a word that is longer than a line keeps its own. */
export function wrap(text: string, { columns }: Pick<Terminal, 'columns'>, indent = INDENT): string[] {
  const room = Math.max(MIN_WIDTH, Math.min(MAX_WIDTH, columns ?? DEFAULT_WIDTH)) - indent;
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

export function summaryText(sections: readonly Section[], terminal: Terminal): string {
  const problems = countOf('problem', sections);
  const warnings = countOf('warning', sections);
  if (problems + warnings === 0) return `\n${styled(terminal, 'green', 'All is well.')}\n`;
  const parts = [
    ...(problems > 0 ? [styled(terminal, 'red', plural(problems, 'problem'))] : []),
    ...(warnings > 0 ? [styled(terminal, 'yellow', plural(warnings, 'warning'))] : []),
  ];
  // One of them often is the cause of those after it.
  const first = problems > 1 ? ` Begin with the first, in “${firstProblem(sections)}”.` : '';
  return `\n${parts.join(' and ')}.${first}\n`;
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

export function exitCodeFor(sections: readonly Section[]): ExitCode {
  const broken = sections.filter(({ findings }) => findings.some(isProblem));
  if (broken.some(({ id }) => id === 'way')) return EXIT.outOfReach;
  return broken.length === 0 ? EXIT.done : EXIT.failed;
}
