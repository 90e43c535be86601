/** Commands arrive twice, from answers and from the socket, in any order: the higher `seq` is the newer. */
import type { Command } from '#protocol/api';

export type Commands = ReadonlyMap<string, Command>;

export function mergeCommand(commands: Commands, arrived: Command): Commands {
  const known = commands.get(arrived.id);
  if (known !== undefined && known.seq >= arrived.seq) return commands;
  return new Map(commands).set(arrived.id, arrived);
}
