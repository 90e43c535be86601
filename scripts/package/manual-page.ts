/** leash(1), made from the texts of `--help`. */
import { rootHelp } from '../../wrapper/src/cli/help.ts';
import { SUBCOMMANDS } from '../../wrapper/src/cli/registry.ts';

/** @param time seconds since 1970 */
export async function manualPage(version: string, time: number): Promise<string> {
  const date = new Date(time * 1_000).toISOString().slice(0, 10);
  const forPeople = SUBCOMMANDS.filter(({ group }) => group !== null);
  const chapters = await Promise.all(
    forPeople.map(async ({ name, load }) => chapter(`leash ${name}`, (await load()).subcommand.help)),
  );
  return [
    `.TH LEASH 1 "${date}" "leash ${version}" "User Commands"`,
    '.SH NAME',
    'leash \\- see what runs on your machines, read its output live, and stop it',
    chapter('subcommands', rootHelp()),
    ...chapters,
    '.SH FILES',
    preformatted(
      '/etc/leash.conf    settings for every run on this machine\n/etc/leash.token   the token, by convention\n/var/lib/leash     runs of root, and what could not be sent yet',
    ),
    '',
  ].join('\n');
}

function chapter(title: string, help: string): string {
  return `.SH ${title.toUpperCase()}\n${preformatted(help.trimEnd())}`;
}

/** The texts have their lines and columns already. */
function preformatted(text: string): string {
  const lines = text.split('\n').map((line) =>
    line
      .replaceAll('\\', '\\e')
      .replaceAll('-', '\\-')
      .replace(/^(?=[.'])/, '\\&'),
  );
  return `.nf\n${lines.join('\n')}\n.fi`;
}
