/**
 * Part of `npm run check`: finds in what users read (the dashboard, the program, the API, the scripts, wrangler.toml and
 * the docs) phrases that docs/glossary.md or plain English has a better word for.
 *
 * Where such a phrase is right, a comment on its line or on the line before says why: `words: REASON`.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'vite';
import { ROOT } from './local/paths.ts';

interface Area {
  readonly name: string;
  readonly files: readonly string[];
}

const AREAS: readonly Area[] = [
  { name: 'dashboard', files: ['dashboard/src/**/*.{ts,tsx}', 'dashboard/index.html'] },
  { name: 'wrapper', files: ['wrapper/src/**/*.{ts,sh}'] },
  { name: 'API', files: ['worker/{src,durable,shared}/**/*.ts', 'protocol/*.ts'] },
  { name: 'scripts', files: ['scripts/**/*.ts', 'demo/**/*.ts', 'shared/*.ts'] },
  { name: 'settings', files: ['wrangler.toml'] },
  { name: 'docs', files: ['*.md', 'docs/*.md', '.github/**/*.{md,yml}'] },
];

/** They quote the words that they advise against. */
const EXCLUDED = ['scripts/check-words.ts', 'docs/glossary.md', 'CHANGELOG.md'];

const PHRASES: readonly (readonly [phrase: RegExp, better: string])[] = [
  [/\banew\b/, 'again'],
  [/\bbeside (?:it|that|this|them)\b/, 'besides, next to it'],
  [/\bfor ever\b/, 'permanently, forever'],
  [/\b(?:goes|go|went) on\b(?! to\b)/, 'continues'],
  [/\bmakes? way\b/, 'is removed, is evicted'],
  [/\b(?:is|are|was|were|be) let go\b/, 'is released'],
  [/\bin vain\b/, 'timed out, without success'],
  [/\bnobody\b/, 'name who, or use the passive'],
  [/(?<!there |that )\b(?:is|are|was|were) no (?!longer|more|less|later|other|need|way|match)/, "isn't a, aren't"],
  [/\bthere (?:is|was|are) no such\b/, "unknown X, X doesn't exist"],
  [/\b(?:after|for|at most|within|than|of) so (?:long|many|much)\b/, 'give the name of the limit'],
  [/\bso (?:long|many|much) (?:after|at most|at a time)\b/, 'give the name of the limit'],
  [/\b(?:told|tells)\b(?! (?:\w+ )?apart)/, 'reports, says, lists, notifies'],
  [/\b(?:look|looks|looked|looking) after\b/, 'manages'],
  [/\bexcludes? each other\b/, 'are mutually exclusive'],
  [/\b(?:out of|(?:back|is|are|be|stay|stays) in) touch\b/, 'disconnected, connected'],
  [/\bunder way\b/, 'in progress'],
  [/\bgive (?:it|them|one of them) once\b/, 'must not be repeated'],
  [/\ball of it (?:is|was|has)\b/, 'name it: all processes'],
  [/\bwhat answers\b/, 'X does not look like'],
  [/\border(?:s|ed|ing)? (?:a |the |this )?kills?\b|\bkills? (?:was|is|were|are) ordered\b/, 'request a kill'],
  [/\/commands\b/, '/kills'],
  [/\b(?:minions?|heirs?|strangers?|kin|full hour)\b/, 'see docs/glossary.md'],
];

const ANY_PHRASE = new RegExp(PHRASES.map(([phrase]) => phrase.source).join('|'), 'i');

interface Finding {
  readonly line: number;
  readonly phrase: string;
  readonly better: string;
}

/** What of a file users read, with where in the file it begins. */
interface Passage {
  readonly text: string;
  readonly start: number;
}

let isClean = true;
for (const { name, files } of AREAS) {
  const paths = globSync([...files], { cwd: ROOT }).filter((path) => !EXCLUDED.includes(path));
  const findings = paths.flatMap((path) => findingsIn(path).map((finding) => ({ path, ...finding })));
  for (const { path, line, phrase, better } of findings) console.log(`${path}:${line}: "${phrase}": ${better}`);
  if (findings.length > 0) isClean = false;
  console.log(`${name}: ${findings.length}`);
}
process.exitCode = isClean ? 0 : 1;

function findingsIn(path: string): Finding[] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  // Most files have none, not even in their code: to parse them all would take a second.
  if (!ANY_PHRASE.test(text)) return [];
  const lines = text.split('\n');
  const isExcepted = (line: number) => [lines[line - 1], lines[line - 2]].some((each) => each?.includes('words: '));
  return passagesOf(path, text)
    .flatMap((passage) => phrasesIn(passage, text))
    .filter(({ line }) => !isExcepted(line));
}

function phrasesIn({ text, start }: Passage, whole: string): Finding[] {
  return PHRASES.flatMap(([phrase, better]) =>
    [...text.matchAll(new RegExp(phrase, 'gi'))].map((match) => ({
      line: whole.slice(0, start + match.index).split('\n').length,
      phrase: match[0],
      better,
    })),
  );
}

function passagesOf(path: string, text: string): Passage[] {
  if (/\.tsx?$/.test(path)) return literalsOf(path, text);
  // Of Markdown, code is what it is; of all else, as of wrangler.toml, the comments are what is read.
  const prose = path.endsWith('.md') ? text.replaceAll(/```[\s\S]*?```|`[^`\n]*`/g, blank) : text;
  return [{ text: prose, start: 0 }];
}

/** As long as before, so that what follows keeps its place. */
function blank(code: string): string {
  return code.replaceAll(/[^\n]/g, ' ');
}

/** The strings, templates and texts of elements that may be sentences: a single word is a name. */
function literalsOf(path: string, text: string): Passage[] {
  const found: Passage[] = [];
  const visit = (node: unknown) => {
    if (typeof node !== 'object' || node === null) return;
    if ('type' in node && 'start' in node && typeof node.start === 'number') {
      const literal = literalText(node);
      if (literal !== null && /\S\s+\S/.test(literal)) found.push({ text: literal, start: node.start });
    }
    Object.values(node).forEach(visit);
  };
  visit(parseSync(path, text).program.body);
  return found;
}

function literalText(node: {
  readonly type?: unknown;
  readonly value?: unknown;
  readonly start?: unknown;
}): string | null {
  const { type, value } = node;
  if ((type === 'Literal' || type === 'JSXText') && typeof value === 'string') return value;
  if (type === 'TemplateElement' && typeof value === 'object' && value !== null && 'cooked' in value)
    return typeof value.cooked === 'string' ? value.cooked : null;
  return null;
}
