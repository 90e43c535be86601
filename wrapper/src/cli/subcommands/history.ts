/** `leash history`. */
import { Tag } from '#protocol/about';
import { Glob } from '#protocol/names';
import { BAD_END_STATES, END_STATES } from '#protocol/run-state';
import { EXIT } from '../../operator/exit-codes.ts';
import { listRuns, take } from '../../operator/list-runs.ts';
import { endedColumns } from '../../operator/run-table.ts';
import { count, listed, moment, momentText, name, oneOf } from '../flags.ts';
import { defineOperatorSubcommand, operatorHelp } from '../operator-subcommand.ts';

const DEFAULT_LIMIT = 50;

const HELP = `leash history: list runs that have ended.

Usage:
  leash history [options] [JOB...]

Prints ended runs, newest start first, with their exit codes and how long they took. JOB is a name
or a glob ('db-*'); without it, runs of all jobs.

Options:
  --machine GLOB         only these machines; may be repeated, or several with commas
  --tag NAME             only runs with this tag; the same
  --state STATE          only this end, such as failed or killed; the same
  --failed               only ends that need attention: failed, timed_out, lost, errored
  --since TIME           only runs that ended after TIME: 2h, 3d, 2026-01-31, 2026-01-31T12:00:00Z
  -n, --limit N          at most N; default ${DEFAULT_LIMIT}
  --wide                 also the CPU time that they took, and their peak memory
${operatorHelp()}`;

const texts = { type: 'string', multiple: true } as const;

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: {
    machine: texts,
    tag: texts,
    state: texts,
    failed: { type: 'boolean' },
    since: { type: 'string' },
    limit: { type: 'string', short: 'n' },
    wide: { type: 'boolean' },
  },
  read: (flags, words) => {
    const states = listed(flags.state).flatMap((state) => oneOf('--state', END_STATES, state) ?? []);
    return {
      jobs: words.map((glob) => name('JOB', Glob, glob)),
      machines: listed(flags.machine).map((glob) => name('--machine', Glob, glob)),
      tags: listed(flags.tag).map((tag) => name('--tag', Tag, tag)),
      states: flags.failed ? [...states, ...BAD_END_STATES] : states,
      since: moment('--since', flags.since),
      limit: count('--limit', flags.limit, DEFAULT_LIMIT),
      isWide: flags.wide ?? false,
    };
  },
  run: async (options, { api, output }) => {
    const selection = {
      jobs: options.jobs,
      machines: options.machines,
      instance: null,
      tags: options.tags,
      states: options.states.length === 0 ? END_STATES : options.states,
      since: options.since === null ? null : momentText(options.since, api.now()),
    };
    const isGlob = [...options.jobs, ...options.machines].some((glob) => glob.includes('*'));
    const runs = await take(listRuns(api, selection, isGlob ? {} : { pageSize: options.limit }), options.limit);
    if (options.asJson) output.json(runs.map(({ raw }) => raw));
    else if (runs.length === 0) output.note('no runs have ended that match');
    else
      output.table(
        endedColumns(api.now(), output.terminal, options.isWide),
        runs.map(({ value }) => value),
      );
    return EXIT.done;
  },
});
