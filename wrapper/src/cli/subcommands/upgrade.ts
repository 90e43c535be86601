/** `leash upgrade`. */
import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Environment } from '../../config/config-file.ts';
import { replaceFile } from '../../host/replace-file.ts';
import { type InstalledProgram, installedProgram } from '../../install/installed-program.ts';
import {
  ServedProgramError,
  type Source,
  servedDigest,
  servedProgram,
  versionOf,
} from '../../install/served-program.ts';
import { describeError } from '../../logging/log.ts';
import { EXIT } from '../../operator/exit-codes.ts';
import { readFlags } from '../flags.ts';
import { type LocalContext, runLocally } from '../local-operation.ts';
import { defineSubcommand } from '../subcommand.ts';

const HELP = `leash upgrade: replace leash on this machine by the one that the control plane serves.

Usage:
  leash upgrade [--check]

Each control plane serves the leash that was built with it. This downloads it, verifies its SHA-256,
starts it once, and puts it in the place of the old one, with the same owner and mode. Running jobs
keep running under the leash that has started them; the next ones run under the new one. It never
happens by itself, and nothing that a control plane sends can start it.

Options:
  --check                only say whether there is another one
  --url URL              the control plane; default $LEASH_URL, then the settings
  -v, --verbose          print on stderr what is done
  -h, --help             print this text

Exit code:
  0    upgraded, or already the same
  1    not upgraded; with --check: the control plane serves another one
  2    an argument is invalid
  6    the control plane is out of reach
`;

export interface UpgradeOptions {
  readonly isCheck: boolean;
  readonly url: string | null;
  readonly verbose: boolean;
}

export function parseUpgrade(argv: readonly string[]): UpgradeOptions | null {
  const flags = readFlags(
    argv,
    {
      check: { type: 'boolean' },
      url: { type: 'string' },
      verbose: { type: 'boolean', short: 'v' },
      help: { type: 'boolean', short: 'h' },
    },
    'leash upgrade takes no arguments',
  );
  if (flags.help) return null;
  return { isCheck: flags.check ?? false, url: flags.url ?? null, verbose: flags.verbose ?? false };
}

export const subcommand = defineSubcommand({
  help: HELP,
  parse: parseUpgrade,
  run: (options, { version }) =>
    runLocally(
      { name: 'upgrade', logFile: null, verbose: options.verbose, failureCode: EXIT.failed },
      async (context) => {
        try {
          return await upgrade(options, version, context);
        } catch (error) {
          if (!(error instanceof ServedProgramError)) throw error;
          context.log.warn(`not upgraded: ${error.message}`);
          return error.kind === 'out_of_reach' ? EXIT.outOfReach : EXIT.failed;
        }
      },
    ),
});

async function upgrade(
  { isCheck, url }: UpgradeOptions,
  version: string,
  { settings, log, print }: LocalContext,
): Promise<number> {
  const refuse = (why: string) => {
    log.warn(`not upgraded: ${why}`);
    return EXIT.failed;
  };
  const source = sourceOf(url, settings);
  if (source === null) return refuse('no control plane is configured; set LEASH_URL, or give --url https://…');
  const installed = await installedProgram();
  const why = isCheck ? null : await whyNot(installed);
  if (why !== null) return refuse(why);
  if (isUnencrypted(source.url)) log.warn(`the program is downloaded unencrypted from ${source.url}; use https`);

  const digest = await servedDigest(source);
  const isSame = installed.kind === 'script' && installed.digest === digest;
  if (isSame) {
    print(`leash ${version} is the one that ${source.url} serves (${installed.path})`);
    return EXIT.done;
  }
  log.info(`downloading ${source.url}/leash.cjs`);
  const program = await servedProgram(source, digest);
  const served = await versionOf(program);
  const change = served === version ? `another build of leash ${version}` : `leash ${served}`;
  if (isCheck) {
    print(`${source.url} serves ${change}; ${installed.path} is leash ${version}: run leash upgrade`);
    return EXIT.failed;
  }
  try {
    await replaceFile(installed.path, program);
  } catch (error) {
    return refuse(`cannot replace ${installed.path}: ${describeError(error)}`);
  }
  print(`${installed.path} was leash ${version} and is now ${change}; running jobs are not affected`);
  return EXIT.done;
}

function sourceOf(flag: string | null, settings: Environment): Source | null {
  const given = flag ?? settings.LEASH_URL;
  if (given === undefined || !URL.canParse(given)) return null;
  // The link's own scheme is allowed in the settings.
  const url = new URL(given.replace(/^ws/, 'http'));
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return null;
  return {
    url: `${url.origin}${url.pathname.replace(/\/+$/, '')}`,
    proxyEnv: settings,
    caFile: settings.LEASH_CA_FILE ?? null,
  };
}

function isUnencrypted(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && hostname !== 'localhost' && hostname !== '[::1]' && !hostname.startsWith('127.');
}

async function whyNot(installed: InstalledProgram): Promise<string | null> {
  switch (installed.kind) {
    case 'packaged':
      return `${installed.path} belongs to a package: ${installed.upgradeHint}`;
    case 'executable':
      return `${installed.path} is an executable that contains Node.js, which control planes do not serve: build a newer one and copy it there`;
    case 'script': {
      const directory = dirname(installed.path);
      const mayWrite = await access(directory, constants.W_OK).then(
        () => true,
        () => false,
      );
      return mayWrite
        ? null
        : `you cannot write to ${directory}: run it as the user who has installed leash, such as root`;
    }
  }
}
