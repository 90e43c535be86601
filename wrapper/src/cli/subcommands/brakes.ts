/** `leash brakes`. */
import { endBrake, listBrakes } from '../../operator/brakes/list-brakes.ts';
import { readFlags } from '../flags.ts';
import {
  OPERATOR_FLAGS,
  OPERATOR_HELP,
  type OperatorOptions,
  readOperatorFlags,
  runOperator,
} from '../operator-subcommand.ts';
import { defineSubcommand } from '../subcommand.ts';

const HELP = `leash brakes: list brakes and maintenance, or end one.

Usage:
  leash brakes [options]
  leash brakes --end ID [options]

Lists those that stand and may concern a job of your token. leash brake, leash maintenance and
leash drain set them.

Options:
  --end ID               end this one now; ID is its id, or the end of it, as the list shows it (at
                         least 4 characters). Kills that it has made are carried out all the same
${OPERATOR_HELP}`;

interface BrakesOptions extends OperatorOptions {
  readonly end: string | null;
}

export function parseBrakes(argv: readonly string[]): BrakesOptions | null {
  const options = { ...OPERATOR_FLAGS, end: { type: 'string' } } as const;
  const flags = readFlags(argv, options, 'leash brakes takes no arguments; --end ID ends one');
  if (flags.help) return null;
  return { ...readOperatorFlags(flags), end: flags.end?.toUpperCase() ?? null };
}

export const subcommand = defineSubcommand({
  help: HELP,
  parse: parseBrakes,
  run: (options, program) =>
    runOperator(options, program, (context) =>
      options.end === null ? listBrakes(options.asJson, context) : endBrake(options.end, options.asJson, context),
    ),
});
