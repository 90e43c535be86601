/** A program: starts the command in its arguments and passes its output on to its own, as `leash run` does. */

import { startCommand } from '../../src/launch/start-command.ts';
import { openWriter } from '../../src/output/descriptor.ts';
import { readOutput } from '../../src/output/read-output.ts';
import { Sink } from '../../src/output/sink.ts';

const [program = '', ...args] = process.argv.slice(2);
const started = await startCommand({
  command: [program, ...args],
  env: process.env,
  cwd: null,
  user: null,
  merge: false,
  joinFile: null,
  launch: { noFileSoft: null, stackSoft: null, ignoredSignals: [], environment: {}, descriptors: [] },
});
if (started.kind === 'not_started') throw new Error(started.why);
const sinks = { stdout: new Sink(openWriter(1)), stderr: new Sink(openWriter(2)) };
const reader = readOutput(started.output, sinks, { output() {}, resumed() {} }, { warn() {}, info() {} });
await started.exited;
await reader.finished();
await sinks.stdout.drained();
process.exit();
