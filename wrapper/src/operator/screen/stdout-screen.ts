/** Our stdout as a screen on which lines are redrawn in place. */
import type { Environment } from '../../config/config-file.ts';
import type { Screen } from './live-region.ts';

/** Of a terminal that doesn't know its size, such as one on a serial line. */
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/** Whether stdout is a terminal that can move its cursor. */
export function canRedraw({ TERM }: Environment): boolean {
  return process.stdout.isTTY === true && TERM !== 'dumb';
}

/** Its size is the current one: windows are resized. */
export function stdoutScreen(): Screen {
  const { stdout } = process;
  return {
    get columns() {
      return stdout.columns || DEFAULT_COLUMNS;
    },
    get rows() {
      return stdout.rows || DEFAULT_ROWS;
    },
    write: (text) => void stdout.write(text),
  };
}
