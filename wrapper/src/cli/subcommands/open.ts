/** `leash open`. */

import { JobName } from '#protocol/names';
import { PAGE_PATHS } from '#protocol/page-paths';
import { openInBrowser } from '../../operator/browser.ts';
import { EXIT } from '../../operator/exit-codes.ts';
import { findJobOrRun } from '../../operator/find-run.ts';
import { name, readFlagsAndWords, UsageError } from '../flags.ts';
import {
  OPERATOR_FLAGS,
  OPERATOR_HELP,
  type OperatorOptions,
  readOperatorFlags,
  runOperator,
} from '../operator-subcommand.ts';
import { defineSubcommand } from '../subcommand.ts';

const HELP = `leash open: open the dashboard in a browser.

Usage:
  leash open [options]
  leash open [options] RUN
  leash open [options] JOB

RUN and JOB are as for leash show. Where there is no browser, and in a pipe, it prints the address.

Options:
  --print                only print the address
${OPERATOR_HELP}`;

interface OpenOptions extends OperatorOptions {
  readonly word: string | null;
  readonly isPrinted: boolean;
}

function parseOpen(argv: readonly string[]): OpenOptions | null {
  const { values: flags, positionals } = readFlagsAndWords(argv, { ...OPERATOR_FLAGS, print: { type: 'boolean' } });
  if (flags.help) return null;
  const [word, ...others] = positionals;
  if (others.length > 0) throw new UsageError('leash open takes one argument at most: a run or a job');
  return {
    ...readOperatorFlags(flags),
    word: word === undefined ? null : name('RUN or JOB', JobName, word),
    isPrinted: flags.print ?? false,
  };
}

export const subcommand = defineSubcommand({
  help: HELP,
  parse: parseOpen,
  run: (options, program) =>
    runOperator(options, program, async ({ api, output, env }) => {
      const path = options.word === null ? PAGE_PATHS.overview : await pathOf(options.word);
      const url = `${api.settings.url.href.replace(/\/$/, '')}${path}`;
      const isShown = !options.asJson && !options.isPrinted && output.terminal.columns !== null;
      if (options.asJson) output.json({ url });
      else output.line(url);
      if (isShown) await openInBrowser(url, env);
      return EXIT.done;

      async function pathOf(word: string): Promise<string> {
        const found = await findJobOrRun(api, word, null);
        if (found.kind === 'job') return PAGE_PATHS.job.replace('{job}', encodeURIComponent(found.job.value.name));
        const { id, job } = found.run.value;
        // Another job may have reported a run with the same id.
        return `${PAGE_PATHS.run.replace('{id}', id)}?${new URLSearchParams({ job })}`;
      }
    }),
});
