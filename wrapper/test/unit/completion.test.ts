import { describe, expect, test } from 'vitest';
import { complete, completionText, type Names } from '../../src/cli/completion/complete.ts';
import { argumentsIn, flagsIn } from '../../src/cli/completion/help-flags.ts';
import { SUBCOMMANDS } from '../../src/cli/registry.ts';

const named = (...words: string[]) => words.map((text) => ({ text, description: '' }));

const NAMES: Names = {
  jobs: async () => [{ text: 'backup', description: '2 running' }, ...named('sync-mail', 'sync-web')],
  machines: async () => named('db-1', 'web-1'),
  runs: async () => [{ text: '01KB7Q0000AAAAAAAAAAAAAAAA', description: 'backup on db-1' }],
};
const NO_NAMES: Names = { jobs: async () => [], machines: async () => [], runs: async () => [] };

/** What is offered at the end of the line, in one line. */
async function offered(line: string, names = NAMES): Promise<string> {
  const completion = await complete(line.split(' ').slice(1), { subcommands: SUBCOMMANDS, names });
  if (completion.kind !== 'words') return `:${completion.kind}`;
  return completion.words.map(({ text }) => text).join(' ');
}

test.each([
  ['leash comp', 'completion'],
  ['leash help ki', 'kill kills'],
  ['leash __comp', ''],
  ['leash nothing ', ''],
  ['leash kill --dr', '--dry-run'],
  ['leash kill b', 'backup'],
  ['leash kill backup s', 'sync-mail sync-web'],
  // Ids only where one has begun.
  ['leash kill 01K', '01KB7Q0000AAAAAAAAAAAAAAAA'],
  ['leash kill --signal H', 'HUP'],
  ['leash kill --signal=H', '--signal=HUP'],
  // As bash has it, which makes words of `=`.
  ['leash kill --signal =', 'TERM INT HUP QUIT USR1 USR2 KILL'],
  ['leash kill --signal = H', 'HUP'],
  ['leash kill --machine w', 'web-1'],
  ['leash kill --reason ', ''],
  ['leash brake sync', 'sync-mail sync-web'],
  ['leash drain w', 'web-1'],
  ['leash ps --state k', 'killing killed'],
  ['leash kills --state ', 'queued delivered settled expired'],
  ['leash history --state k', 'killed'],
  ['leash ps --job sy', 'sync-mail sync-web'],
  ['leash logs backup --stream std', 'stdout stderr'],
  ['leash completion ', 'bash zsh fish'],
  ['leash kill --token-file ', ':files'],
  ['leash run --job x -- ', ':commands'],
  ['leash run --job x -- tar ', ':files'],
])('%s', async (line, words) => {
  expect(await offered(line)).toBe(words);
});

test('without a control plane there are still subcommands and flags', async () => {
  expect(await offered('leash kill ', NO_NAMES)).toBe('');
  expect(await offered('leash ps --wa', NO_NAMES)).toBe('--watch');
});

test('a shell gets a word a line, with its description after a tab', async () => {
  const completion = await complete(['kill', ''], { subcommands: SUBCOMMANDS, names: NAMES });
  expect(completionText(completion)).toBe('backup\t2 running\nsync-mail\nsync-web\n');
  expect(completionText({ kind: 'directories' })).toBe(':directories\n');
});

describe('a help', () => {
  const HELP = `leash thing: does things.

Usage:
  leash thing JOB... [--since TIME] -- COMMAND

Options:
  -s, --since TIME       how long ago
  --stream stdout|stderr only one
  --token-file FILE, --url URL
                         where it is
  -y, --yes              don't ask
`;

  test('says which flags there are, which take a value, and what they do', () => {
    expect(flagsIn(HELP)).toEqual([
      { name: '-s', value: 'TIME', description: 'how long ago' },
      { name: '--since', value: 'TIME', description: 'how long ago' },
      { name: '--stream', value: 'stdout|stderr', description: 'only one' },
      { name: '--token-file', value: 'FILE', description: 'where it is' },
      { name: '--url', value: 'URL', description: 'where it is' },
      { name: '-y', value: null, description: "don't ask" },
      { name: '--yes', value: null, description: "don't ask" },
    ]);
  });

  test('says what the arguments are', () => {
    expect([...argumentsIn(HELP, 'thing')]).toEqual(['JOB']);
  });

  test.each(SUBCOMMANDS.filter(({ group }) => group !== null).map(({ name, load }) => [name, load] as const))(
    'of %s has no flag that is not found',
    async (_name, load) => {
      const { help } = (await load()).subcommand;
      const found = new Set(flagsIn(help).map(({ name }) => name));
      const listed = help.match(/(?<=^ {2}(?:-.*, )?)--[\w-]+/gm) ?? [];
      expect(listed.filter((flag) => !found.has(flag))).toEqual([]);
    },
  );
});
