/** A machine on which `leash` finds the Node that a test gives it, or none: a PATH of its own. */
import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { PROGRAM } from './leash.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** Where the launcher looks after PATH, as launcher.sh has it. */
const USUAL_PLACES = '/usr/local/bin:/usr/bin:/opt/node/bin:/opt/homebrew/bin:/snap/bin:';

/** What the launcher and the tests call by name. */
const TOOLS =
  'bash cat cut echo env getent grep id mkfifo mv od printenv ps readlink rm sed setpriv setsid sh sleep sort touch tr true'.split(
    ' ',
  );

export interface BareMachine {
  /** The program as it is shipped, but for the places where it looks for Node. */
  readonly program: string;
  readonly path: string;
  readonly stateDirectory: string;
  /** Variables that keep what leash writes within this machine. */
  readonly own: NodeJS.ProcessEnv;
  /** Puts a program called `node` on PATH. */
  installNode(script: string): void;
  run(args: readonly string[], options?: SpawnSyncOptions): Outcome;
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function bareMachine(): BareMachine {
  const root = temporaryDirectory();
  const tools = path.join(root, 'bin');
  fs.chmodSync(root, 0o755);
  fs.mkdirSync(tools);
  for (const tool of TOOLS) {
    const place = ['/usr/bin', '/bin', '/usr/sbin']
      .map((each) => path.join(each, tool))
      .find((each) => fs.existsSync(each));
    if (place !== undefined) fs.symlinkSync(place, path.join(tools, tool));
  }
  const program = path.join(root, 'leash');
  const nowhere = `/${'x'.repeat(USUAL_PLACES.length - 2)}:`;
  // Of the same length: the program says at which byte it ends.
  fs.writeFileSync(program, fs.readFileSync(PROGRAM, 'utf8').replace(USUAL_PLACES, nowhere), { mode: 0o755 });
  const stateDirectory = path.join(root, 'state');
  fs.mkdirSync(stateDirectory, { mode: 0o700 });
  const own = { LEASH_CONFIG: '/dev/null', LEASH_STATE_DIR: stateDirectory, XDG_RUNTIME_DIR: stateDirectory };
  return {
    program,
    path: tools,
    stateDirectory,
    own,
    installNode: (script) => {
      // Written aside: another process of this test run may be forking, and then hold it open for writing.
      const file = path.join(tools, 'node');
      fs.writeFileSync(`${file}.new`, script, { mode: 0o755 });
      fs.renameSync(`${file}.new`, file);
    },
    run: (args, options = {}) => {
      const env = { PATH: tools, ...own, ...options.env };
      const { status, stdout, stderr } = spawnSync(program, args, { ...options, env, encoding: 'latin1' });
      return { code: status, stdout: String(stdout), stderr: String(stderr) };
    },
  };
}
