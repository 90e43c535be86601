/** How to start this program again. */

/**
 * The program and first arguments by which this `leash` runs; what follows `leash` comes after them.
 *
 * @throws {Error} when it is not known
 */
export function ownProgram(): [string, ...string[]] {
  if (isSingleExecutable()) return [process.execPath];
  const script = process.argv[1];
  if (script === undefined) throw new Error('cannot determine how this program was started');
  return [process.execPath, ...process.execArgv, script];
}

/** Whether this program and its Node.js are one file (scripts/package/executable.ts). */
export function isSingleExecutable(): boolean {
  // Not imported: Node before 20.12 has no such module. Every Node that can be part of a program has this function.
  return process.getBuiltinModule?.('node:sea').isSea() ?? false;
}
