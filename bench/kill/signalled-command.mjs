/**
 * A command that notes when SIGTERM reaches it, by the system's monotonic clock, which all processes share.
 *
 *     node bench/kill/signalled-command.mjs FILE
 *
 * FILE.ready is there once it can be signalled, FILE with the nanoseconds once it was.
 */
import { renameSync, writeFileSync } from 'node:fs';

const [file = ''] = process.argv.slice(2);
/** Nothing of a bench that was itself killed stays. */
const LONGEST_LIFE_MS = 10 * 60_000;

process.on('SIGTERM', () => {
  const at = process.hrtime.bigint();
  writeFileSync(`${file}.new`, String(at));
  renameSync(`${file}.new`, file);
  process.exit(0);
});
setTimeout(() => process.exit(1), LONGEST_LIFE_MS);
writeFileSync(`${file}.ready`, '');
