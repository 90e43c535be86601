/** How to start this program again. */

/**
 * The program and first arguments by which this `leash` runs; what follows `leash` comes after them.
 *
 * @throws {Error} when it is not known
 */
export function ownProgram(): [string, ...string[]] {
  const script = process.argv[1];
  if (script === undefined) throw new Error('cannot determine how this program was started');
  return [process.execPath, ...process.execArgv, script];
}
