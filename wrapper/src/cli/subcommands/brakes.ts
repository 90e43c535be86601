/** `leash brakes`. */
import { endBrake, listBrakes } from '../../operator/brakes/list-brakes.ts';
import { defineOperatorSubcommand, operatorHelp } from '../operator-subcommand.ts';

const HELP = `leash brakes: list brakes and maintenance, or end one.

Usage:
  leash brakes [options]
  leash brakes --end ID [options]

Lists those that stand and may concern a job of your token. leash brake, leash maintenance and
leash drain set them.

Options:
  --end ID               end this one now; ID is its id, or the end of it, as the list shows it (at
                         least 4 characters). Kills that it has made are carried out all the same
${operatorHelp()}`;

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: { end: { type: 'string' } },
  onWord: 'leash brakes takes no arguments; --end ID ends one',
  read: (flags) => ({ end: flags.end?.toUpperCase() ?? null }),
  run: ({ end, asJson }, context) => (end === null ? listBrakes(asJson, context) : endBrake(end, asJson, context)),
});
