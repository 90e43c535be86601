/** Commands carry no version: what a socket says is newer than what it said before; an answer may be older than either. */
import type { Command } from '#protocol/api';
import { isProgress } from '#protocol/command';

export type Commands = ReadonlyMap<string, Command>;

/** From the socket, whose messages come in order. */
export function withCommand(commands: Commands, command: Command): Commands {
  return new Map(commands).set(command.id, command);
}

/** From the answer to a call, which may have been overtaken by the socket. */
export function withAnswer(commands: Commands, answer: Command): Commands {
  const known = commands.get(answer.id);
  if (known !== undefined && !isAhead(known, answer)) return commands;
  return withCommand(commands, answer);
}

function isAhead(known: Command, answer: Command): boolean {
  if (answer.targets.length !== known.targets.length) return answer.targets.length > known.targets.length;
  return answer.targets.some((target) => {
    const before = known.targets.find((other) => other.run === target.run);
    return before === undefined || isProgress(before.state, target.state);
  });
}
