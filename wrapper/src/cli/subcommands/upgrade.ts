/** `leash upgrade`. */
import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readBaseUrl } from '../../config/control-plane.ts';
import { type InstalledProgram, installedProgram } from '../../install/installed-program.ts';
import {
  ServedProgramError,
  type Source,
  servedDigest,
  servedProgram,
  servedVersion,
  versionOf,
} from '../../install/served-program.ts';
import { describeError } from '../../logging/log.ts';
import { EXIT } from '../../operator/exit-codes.ts';
import { replaceFile } from '../../state/replace-file.ts';
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
  --check                only say whether there is another one, without downloading it
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

function parseUpgrade(argv: readonly string[]): UpgradeOptions | null {
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

async function upgrade({ isCheck, url }: UpgradeOptions, version: string, context: LocalContext): Promise<number> {
  const { settings, log } = context;
  const refuse = (why: string) => {
    log.warn(`not upgraded: ${why}`);
    return EXIT.failed;
  };
  const given = url ?? settings.LEASH_URL;
  if (given === undefined) return refuse('no control plane is configured; set LEASH_URL, or give --url https://…');
  const base = readBaseUrl(given);
  if (base === null) return refuse(`not an http(s) URL: ${given}`);
  const source: Source = {
    url: base.baseUrl.replace(/^ws/, 'http'),
    proxyEnv: settings,
    caFile: settings.LEASH_CA_FILE ?? null,
  };
  const installed = await installedProgram();
  const why = await whyNot(installed);
  if (isCheck) return check(installed, source, { version, remedy: why ?? 'run leash upgrade' }, context);
  if (why !== null) return refuse(why);
  if (base.isUnencrypted) log.warn(`the program is downloaded unencrypted from ${source.url}; use https`);
  try {
    return await replace(installed, source, version, context);
  } catch (error) {
    if (error instanceof ServedProgramError) throw error;
    return refuse(`cannot replace ${installed.path}: ${describeError(error)}`);
  }
}

async function check(
  installed: InstalledProgram,
  source: Source,
  { version, remedy }: { readonly version: string; readonly remedy: string },
  { print }: LocalContext,
): Promise<number> {
  const { path } = installed;
  const isSame = hasDigest(installed, await servedDigest(source));
  const served = isSame ? version : await servedVersion(source);
  // What is built in another way is never the same, byte for byte.
  if (isSame || (installed.kind !== 'script' && served === version)) {
    print(`leash ${version} is the one that ${source.url} serves (${path})`);
    return EXIT.done;
  }
  print(`${source.url} serves ${changeTo(served, version)}; ${path} is leash ${version}: ${remedy}`);
  return EXIT.failed;
}

async function replace(
  installed: InstalledProgram,
  source: Source,
  version: string,
  { log, print }: LocalContext,
): Promise<number> {
  const digest = await servedDigest(source);
  if (hasDigest(installed, digest)) {
    print(`leash ${version} is the one that ${source.url} serves (${installed.path})`);
    return EXIT.done;
  }
  log.info(`downloading ${source.url}/leash.cjs`);
  const program = await servedProgram(source, digest);
  const served = await versionOf(program);
  await replaceFile(installed.path, program);
  const change = changeTo(served, version);
  print(`${installed.path} was leash ${version} and is now ${change}; running jobs are not affected`);
  return EXIT.done;
}

function hasDigest(installed: InstalledProgram, digest: string): boolean {
  return installed.kind === 'script' && installed.digest === digest;
}

function changeTo(served: string | null, version: string): string {
  return served === version ? `another build of leash ${version}` : `leash ${served ?? 'of another version'}`;
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
