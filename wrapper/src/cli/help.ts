/** What `leash --help` prints. */
import { GROUPS, type Group, SUBCOMMANDS } from './registry.ts';

export function rootHelp(): string {
  return `leash: see what runs on your machines, read its output live, and stop it.

Usage:
  leash run --job NAME [options] -- COMMAND ARG...
  leash SUBCOMMAND [options]
  leash SUBCOMMAND --help
  leash --version

${GROUPS.map(groupHelp)
  .filter((text) => text !== null)
  .join('\n')}`;
}

function groupHelp(group: Group): string | null {
  const members = SUBCOMMANDS.filter((each) => each.group === group);
  if (members.length === 0) return null;
  const width = Math.max(...SUBCOMMANDS.map(({ name }) => name.length));
  return [`${group}:`, ...members.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`)]
    .map((line) => `${line}\n`)
    .join('');
}
