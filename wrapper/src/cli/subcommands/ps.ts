/** `leash ps`. */

import { Tag } from '#protocol/about';
import type { Run } from '#protocol/api';
import { Glob, InstanceName } from '#protocol/names';
import { RUN_STATES, type RunState } from '#protocol/run-state';
import type { Received } from '../../operator/api-client.ts';
import { EXIT } from '../../operator/exit-codes.ts';
import { listRuns, openRuns, take } from '../../operator/list-runs.ts';
import type { OperatorContext } from '../../operator/operator-context.ts';
import { endedColumns, liveColumns } from '../../operator/run-table.ts';
import { count, listed, name, oneOf } from '../flags.ts';
import { defineOperatorSubcommand, operatorHelp, type SharedArguments } from '../operator-subcommand.ts';

const DEFAULT_LIMIT = 100;

const HELP = `leash ps: list what runs.

Usage:
  leash ps [options]
  leash ps --watch [options]

Prints the runs that have not ended, newest first: also those that are disconnected, and those that
were lost within the last 7 days and may return (earlier ones: --state lost). A run's id is shown by
its last 8 characters on a terminal, which the other subcommands accept; whole in a pipe.

With --watch it shows them as they change, until Ctrl-C (exit code 0): on a terminal in a table, a
run that ends for 10 more seconds; in a pipe a line for each change of a run's state, with --json
the whole run for each change.

Options:
  -w, --watch            keep the list up to date
  --job GLOB             only these jobs; may be repeated, or several with commas
  --machine GLOB         only these machines; the same
  --instance NAME        only this instance
  --tag NAME             only runs with this tag; the same
  --state STATE          only runs in this state, such as running or failed; the same
  -a, --all              also runs that have ended
  --limit N              with --all or --state: at most the N newest; default ${DEFAULT_LIMIT}
${operatorHelp()}`;

interface PsOptions extends SharedArguments {
  readonly jobs: readonly string[];
  readonly machines: readonly string[];
  readonly instance: string | null;
  readonly tags: readonly string[];
  readonly states: readonly RunState[];
  readonly limit: number;
}

const texts = { type: 'string', multiple: true } as const;

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: {
    job: texts,
    machine: texts,
    instance: { type: 'string' },
    tag: texts,
    state: texts,
    all: { type: 'boolean', short: 'a' },
    limit: { type: 'string' },
    watch: { type: 'boolean', short: 'w' },
  },
  onWord: 'leash ps takes no arguments: use --job, or leash show JOB',
  read: (flags) => ({
    jobs: listed(flags.job).map((glob) => name('--job', Glob, glob)),
    machines: listed(flags.machine).map((glob) => name('--machine', Glob, glob)),
    instance: flags.instance === undefined ? null : name('--instance', InstanceName, flags.instance),
    tags: listed(flags.tag).map((tag) => name('--tag', Tag, tag)),
    states: listed(flags.state).flatMap((state) => oneOf('--state', RUN_STATES, state) ?? []),
    all: flags.all ?? false,
    limit: count('--limit', flags.limit, DEFAULT_LIMIT),
    watch: flags.watch ?? false,
  }),
  run: async (options, context) => {
    if (options.watch) {
      const { watchRuns } = await import('../../operator/ps/watch-runs.ts');
      return watchRuns(options, options.asJson, context);
    }
    const isOpen = !options.all && options.states.length === 0;
    const runs = isOpen ? await take(openRuns(context.api, options)) : await someRuns(options, context);
    show(runs, options, context);
    return EXIT.done;
  },
});

function someRuns(options: PsOptions, { api }: OperatorContext): Promise<Received<Run>[]> {
  return take(listRuns(api, { ...options, since: null }), options.limit);
}

function show(runs: readonly Received<Run>[], { asJson }: SharedArguments, { api, output }: OperatorContext): void {
  const { terminal } = output;
  if (asJson) output.json(runs.map(({ raw }) => raw));
  else if (runs.length === 0) output.note('no runs');
  else {
    const hasEnded = runs.some(({ value }) => value.final);
    const columns = hasEnded ? endedColumns(api.now(), terminal) : liveColumns(api.now(), terminal);
    output.table(
      columns,
      runs.map(({ value }) => value),
    );
  }
}
