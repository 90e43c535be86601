/** `--detach`: the wrapper goes on by itself, and whoever called it has nothing to wait for. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';

/** By which the wrapper in the background is told the run id that the caller has been told. */
const RUN_ID_VARIABLE = 'LEASH_DETACHED_RUN';

/**
 * Starts `leash run` with the same arguments in the background: in a session of its own, with nothing of the caller's
 * left open. Resolves when it has been started.
 *
 * @param argv what follows `leash`
 * @param run the run's id
 */
export function detach(argv: readonly string[], run: string, env: NodeJS.ProcessEnv): Promise<void> {
  const [script] = process.argv.slice(1);
  if (script === undefined) throw new Error('it is not known how this program was started');
  const child = spawn(process.execPath, [...process.execArgv, script, ...argv], {
    detached: true,
    env: { ...env, [RUN_ID_VARIABLE]: run },
    stdio: Array.from({ length: highestDescriptor() + 1 }, () => 'ignore' as const),
  });
  child.unref();
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}

/**
 * The run id given by the `leash run --detach` that started this one, or null in the foreground. It is taken out of
 * `env`: a nested `leash run` is another run.
 */
export function takeDetachedRun(env: NodeJS.ProcessEnv): string | null {
  const run = env[RUN_ID_VARIABLE] ?? null;
  delete env[RUN_ID_VARIABLE];
  return run;
}

/**
 * A caller such as salt may have left us descriptors beyond the usual three, and waits for as long as anyone holds them:
 * /dev/null takes the place of all of them.
 */
function highestDescriptor(): number {
  try {
    return Math.max(2, ...fs.readdirSync('/proc/self/fd').map(Number).filter(isInherited));
  } catch {
    // No /proc: what a caller may have leaked is not known.
    return 2;
  }
}

/** Node's own descriptors are closed on exec and need no care. */
function isInherited(fd: number): boolean {
  try {
    const info = fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    const flags = Number.parseInt(/^flags:\s+(\d+)/m.exec(info)?.[1] ?? '0', 8);
    return (flags & O_CLOEXEC) === 0;
  } catch {
    // It was closed while we looked: the one by which the directory was read.
    return false;
  }
}

const O_CLOEXEC = 0o2000000;
