/** Names a job after what its command runs: the script or program behind `sh -c`, `env`, `nice`, `flock` and the like. */
import type { Word } from './shell-word.ts';
import { readShellLine, type SimpleCommand } from './shell-words.ts';

/** Long enough for a program and what it works on; a name may have 128 characters. */
const MAX_CHARS = 60;
const FALLBACK = 'cron-job';

export interface NameParts {
  readonly base: string;
  /** What tells it from another command with the same base: words of its arguments, in order. */
  readonly details: readonly string[];
}

/** Makes a valid job name of any text; null when nothing of it can be in one. */
export function slug(text: string): string | null {
  const cleaned = text.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replaceAll(/-{2,}/g, '-');
  return cleaned.slice(0, MAX_CHARS).replaceAll(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '') || null;
}

/** @param line a command line, without what follows a `%` */
export function namePartsOf(line: string): NameParts {
  const subject = subjectOf(line, 0);
  const base = subject === null ? null : slug(subject.base);
  return base === null
    ? { base: FALLBACK, details: [] }
    : { base, details: subject?.details.flatMap((each) => slug(each) ?? []) ?? [] };
}

interface Subject {
  readonly base: string;
  readonly details: readonly string[];
  /** It only prepares what follows, or is code without a name. */
  readonly isMinor: boolean;
}

/** How deep `sh -c` is followed. */
const MAX_DEPTH = 5;

function subjectOf(line: string, depth: number): Subject | null {
  const read = readShellLine(line, true);
  if (read.kind === 'unbalanced' || depth > MAX_DEPTH) return null;
  const subjects = read.commands.flatMap((command) => subjectOfCommand(valuesOf(command), depth) ?? []);
  return subjects.find(({ isMinor }) => !isMinor) ?? subjects[0] ?? null;
}

function valuesOf({ words }: SimpleCommand): string[] {
  return words.map(({ value }: Word) => value);
}

const KEYWORDS = new Set(['!', '{', 'if', 'then', 'else', 'elif', 'do', 'while', 'until']);
const MINOR = new Set(
  `} fi done esac for case select cd test [ [[ true false : exit return sleep export set unset umask ulimit shopt source . type
  which hash trap wait mkdir echo printf date logger`.split(/\s+/),
);

function subjectOfCommand(words: readonly string[], depth: number): Subject | null {
  const start = words.findIndex((word) => !KEYWORDS.has(word) && !isAssignment(word));
  const [program, ...rest] = start === -1 ? [] : words.slice(start);
  if (program === undefined) return null;
  const name = basename(program);
  if (name === 'command' && /^-[vV]/.test(rest[0] ?? '')) return { base: name, details: [], isMinor: true };
  const wrapper = WRAPPERS[name];
  if (wrapper !== undefined) return throughWrapper(name, wrapper, rest, depth);
  if (/^(ba|da|z|k|mk|a)?sh$/.test(name)) return throughShell(rest, depth) ?? script(name, rest, 'OoIW');
  if (/^(python|perl|ruby|php|node|nodejs|Rscript|lua|tclsh|java)[\d.]*$/.test(name)) return interpreted(name, rest);
  if (name === 'docker' || name === 'podman') return inContainer(name, rest, depth);
  if (name === 'run-parts') return named(rest.findLast((word) => !word.startsWith('-')) ?? name, []);
  if (name === 'curl' || name === 'wget') return fetched(name, rest);
  return { ...named(program, rest), isMinor: MINOR.has(name) };
}

interface WrapperSyntax {
  /** Letters of options that take a value. */
  readonly valued: string;
  /** How many words come before the command. */
  readonly operands: number;
}

const plain: WrapperSyntax = { valued: '', operands: 0 };

/** Programs that run the command they are given. */
const WRAPPERS: Readonly<Record<string, WrapperSyntax>> = {
  env: { valued: 'uCS', operands: 0 },
  nice: { valued: 'n', operands: 0 },
  ionice: { valued: 'cnp', operands: 0 },
  nohup: plain,
  setsid: plain,
  exec: plain,
  command: plain,
  eval: plain,
  time: plain,
  chronic: plain,
  cronic: plain,
  unbuffer: plain,
  eatmydata: plain,
  stdbuf: { valued: 'ioe', operands: 0 },
  flock: { valued: 'wEc', operands: 1 },
  lockrun: { valued: 'L', operands: 0 },
  setlock: { valued: '', operands: 1 },
  timeout: { valued: 'sk', operands: 1 },
  chrt: { valued: '', operands: 1 },
  taskset: { valued: '', operands: 1 },
  sudo: { valued: 'ugCDhpRrTt', operands: 0 },
  doas: { valued: 'uC', operands: 0 },
  su: { valued: 'cs', operands: 1 },
  runuser: { valued: 'ucgGs', operands: 0 },
  setpriv: plain,
  'systemd-cat': { valued: 'tp', operands: 0 },
  'systemd-run': { valued: 'puGHM', operands: 0 },
  'xvfb-run': { valued: 'nsefp', operands: 0 },
  xargs: { valued: 'adEILnPs', operands: 0 },
};

function throughWrapper(
  name: string,
  { valued, operands }: WrapperSyntax,
  rest: readonly string[],
  depth: number,
): Subject | null {
  // flock and su take a command line by -c, before or after their operand.
  const byOption = ['flock', 'su', 'runuser'].includes(name) ? rest[rest.indexOf('-c') + 1] : undefined;
  if (rest.includes('-c') && byOption !== undefined) return subjectOf(byOption, depth + 1);
  const inner = skipOptions(rest, valued).slice(operands);
  return inner.length === 0 ? { ...named(name, rest), isMinor: true } : subjectOfCommand(inner, depth + 1);
}

/** What `docker exec` and `docker compose exec` run in a container. */
function inContainer(name: string, rest: readonly string[], depth: number): Subject {
  const at = rest.indexOf('exec');
  const inner = at === -1 || at > 1 ? [] : skipOptions(rest.slice(at + 1), 'uwe').slice(1);
  return (inner.length === 0 ? null : subjectOfCommand(inner, depth + 1)) ?? named(name, rest);
}

function throughShell(rest: readonly string[], depth: number): Subject | null {
  const at = rest.findIndex((word) => /^-[a-z]*c$/.test(word));
  const line = at === -1 ? undefined : rest[at + 1];
  return line === undefined ? null : subjectOf(line, depth + 1);
}

function interpreted(name: string, rest: readonly string[]): Subject {
  const module = /^python/.test(name) ? rest[rest.indexOf('-m') + 1] : undefined;
  if (rest.includes('-m') && module !== undefined) return named(module, rest.slice(rest.indexOf('-m') + 2));
  const jar = rest[rest.indexOf('-jar') + 1];
  if (rest.includes('-jar') && jar !== undefined) return named(jar, rest.slice(rest.indexOf('-jar') + 2));
  if (rest.some((word) => /^-[a-zA-Z]*[ecrR]$/.test(word)) && !/^php/.test(name))
    return { ...named(name, []), isMinor: true };
  return script(name, rest, /^php/.test(name) ? 'dcz' : 'IWXr');
}

function script(interpreter: string, rest: readonly string[], valued: string): Subject {
  const [file, ...others] = skipOptions(rest, valued);
  return file === undefined ? named(interpreter, []) : named(file, others);
}

/** `curl-example.org`, as many of them differ in nothing else. */
function fetched(name: string, rest: readonly string[]): Subject {
  const address = rest
    .map((word) => /^(?:https?:\/\/)?([\w.-]+\.[a-z]{2,}|localhost)(?::\d+)?(\/[^?#]*)?/i.exec(word))
    .find((found) => found !== null);
  const [, host, path = ''] = address ?? [];
  return {
    base: host === undefined ? name : `${name}-${host}`,
    details: path
      .replace(/\.\w+$/, '')
      .split('/')
      .filter((part) => part !== ''),
    isMinor: false,
  };
}

/** Program, and subcommand if the next word looks like one: `certbot renew`, `artisan schedule:run`. */
function named(program: string, rest: readonly string[]): Subject {
  const base = tellingName(
    program.replace(/(?<=.)\.(sh|bash|zsh|ksh|py|pl|rb|php|phar|js|mjs|cjs|ts|jar|R|lua|tcl)$/, ''),
  );
  const [next] = rest;
  const hasSubcommand = next !== undefined && /^[a-z][a-z0-9:_-]{1,30}$/.test(next);
  const details = rest
    .slice(hasSubcommand ? 1 : 0)
    .map((word) => word.replace(/^-+/, ''))
    .map(basename);
  return { base: hasSubcommand ? `${base}-${next}` : base, details, isMinor: false };
}

const GENERIC = new Set(['run', 'main', 'index', 'cron', 'start', 'job', 'script', 'task', 'app', 'entrypoint']);
const UNTELLING_FOLDERS = new Set(
  `bin sbin usr local opt etc var home srv lib share root scripts script src html www htdocs public public_html web current
  app releases . ..`.split(/\s+/),
);

/** The base name; of `/opt/backup/run`, which says nothing, with the nearest folder that does: `backup-run`. */
function tellingName(path: string): string {
  const name = basename(path);
  const folder = path
    .split('/')
    .slice(0, -1)
    .findLast((each) => slug(each) !== null && !UNTELLING_FOLDERS.has(each));
  return GENERIC.has(name) && folder !== undefined ? `${folder}-${name}` : name;
}

function basename(path: string): string {
  return path.replace(/\/+$/, '').replace(/^.*\//, '');
}

function isAssignment(word: string): boolean {
  return /^[A-Za-z_]\w*\+?=/.test(word);
}

/** Without the options in front, the values of those that take one, and assignments (as of env and sudo). */
function skipOptions(words: readonly string[], valued: string): readonly string[] {
  let at = 0;
  while (at < words.length) {
    const word = words[at] ?? '';
    if (word === '--') return words.slice(at + 1);
    if (!isAssignment(word) && (!word.startsWith('-') || word === '-')) break;
    at += word.length === 2 && valued.includes(word.charAt(1)) ? 2 : 1;
  }
  return words.slice(at);
}
