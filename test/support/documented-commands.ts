/** The shell commands of README and docs. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../scripts/local/paths.ts';

/**
 * One fenced block of a document whose language is `sh`. Its commands are run as they are, unless the line that opens the
 * block says why not: ```` ```sh not run: needs a Cloudflare account ````. Markdown shows only the language of that line.
 */
export interface DocumentedBlock {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  /** Why it is not run; null if it is. */
  readonly notRunBecause: string | null;
}

const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'docs/*.md', 'integrations/**/*.md'];
const NOT_RUN = ' not run: ';

export function documentedBlocks(): DocumentedBlock[] {
  const files = DOCUMENTS.flatMap((pattern) => globSync(pattern, { cwd: ROOT }).sort());
  return files.flatMap((file) => blocksOf(file, readFileSync(join(ROOT, file), 'utf8')));
}

function blocksOf(file: string, document: string): DocumentedBlock[] {
  return [...document.matchAll(/^```(sh|bash|shell|console)(.*)\n([\s\S]*?)^```$/gm)].map((match) => {
    const [, language = '', info = '', text = ''] = match;
    const line = document.slice(0, match.index).split('\n').length;
    if (language !== 'sh') throw new Error(`${file}:${line}: a block of commands has the language sh, not ${language}`);
    if (info !== '' && !info.startsWith(NOT_RUN)) throw new Error(`${file}:${line}: unknown mark:${info}`);
    return { file, line, text, notRunBecause: info === '' ? null : info.slice(NOT_RUN.length) };
  });
}

/** The commands of a block, as words, as far as they are plain: without variables, substitutions and globs. */
export function plainCommands(text: string): string[][] {
  return text
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .flatMap((line) => line.split(/\s(?:&&|\|\||\||;)\s/))
    .map(wordsOf)
    .filter((words) => words.length > 0);
}

/** Quotes and comments as in a shell. */
function wordsOf(command: string): string[] {
  const words = [...command.matchAll(/(?:[^\s'"#]|'[^']*'|"[^"]*"|(?<=\S)#)+|#.*/g)].map(([word]) => word);
  const end = words.findIndex((word) => word.startsWith('#'));
  return (end === -1 ? words : words.slice(0, end)).map((word) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'));
}
