/** Looks for programs that a package is made with. */
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Whether a program is found on PATH. */
export async function hasProgram(name: string): Promise<boolean> {
  const found = (process.env.PATH ?? '').split(delimiter).map((directory) =>
    access(join(directory, name), constants.X_OK).then(
      () => true,
      () => false,
    ),
  );
  return (await Promise.all(found)).includes(true);
}
