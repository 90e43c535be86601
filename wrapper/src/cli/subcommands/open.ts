/** `leash open`. */

import { JobName } from '#protocol/names';
import { PAGE_PATHS } from '#protocol/page-paths';
import { openInBrowser } from '../../operator/browser.ts';
import { EXIT } from '../../operator/exit-codes.ts';
import { findJobOrRun } from '../../operator/find-run.ts';
import { name, UsageError } from '../flags.ts';
import { defineOperatorSubcommand, operatorHelp } from '../operator-subcommand.ts';

const HELP = `leash open: open the dashboard in a browser.

Usage:
  leash open [options]
  leash open [options] RUN
  leash open [options] JOB

RUN and JOB are as for leash show. Where there is no browser, and in a pipe, it prints the address.

Options:
  --print                only print the address
${operatorHelp()}`;

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: { print: { type: 'boolean' } },
  read: (flags, [word, ...others]) => {
    if (others.length > 0) throw new UsageError('leash open takes one argument at most: a run or a job');
    return {
      word: word === undefined ? null : name('RUN or JOB', JobName, word),
      isPrinted: flags.print ?? false,
    };
  },
  run: async (options, { api, output, env }) => {
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
  },
});
