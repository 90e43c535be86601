/** Starting one command in the test's own process, and what came of it. */

import { onTestFinished } from 'vitest';
import type { StreamName } from '#protocol/output-frame';
import type { RawExit } from '#protocol/run-state';
import { type CommandSpec, type RunningCommand, startCommand } from '../../src/launch/start-command.ts';
import type { Writer } from '../../src/output/descriptor.ts';
import { readOutput } from '../../src/output/read-output.ts';
import { Sink } from '../../src/output/sink.ts';
import { silent } from './silent-log.ts';

/** A reader that takes everything at once. */
export const greedy: Writer = {
  writeNow: (bytes) => ({ kind: 'written', bytes: bytes.length }),
  write: () => {},
  isTerminal: false,
};

/** A launch that needs no shim: nothing has to be restored. */
export const plainLaunch: CommandSpec['launch'] = {
  noFileSoft: null,
  stackSoft: null,
  ignoredSignals: [],
  environment: {},
  descriptors: [],
};

export function specOf(command: CommandSpec['command'], more: Partial<CommandSpec> = {}): CommandSpec {
  return {
    command,
    env: { PATH: process.env.PATH },
    cwd: null,
    user: null,
    merge: false,
    joinFile: null,
    launch: plainLaunch,
    ...more,
  };
}

/** Starts a command that is expected to start; it is ended with the test. */
export async function start(command: CommandSpec['command'], more: Partial<CommandSpec> = {}): Promise<RunningCommand> {
  const started = await startCommand(specOf(command, more));
  if (started.kind === 'not_started') throw new Error(`not started: ${started.why}`);
  onTestFinished(() => {
    try {
      process.kill(-started.pid, 'SIGKILL');
    } catch {
      // All of it is gone.
    }
  });
  return started;
}

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: RawExit;
  readonly remark: string | null;
  readonly pid: number;
}

/** Runs a command to its end; the text is latin1, so that every byte is visible. */
export async function ran(command: CommandSpec['command'], more: Partial<CommandSpec> = {}): Promise<Ran> {
  const started = await start(command, more);
  const chunks: Record<StreamName, Buffer[]> = { stdout: [], stderr: [] };
  const reader = readOutput(
    started.output,
    { stdout: new Sink(greedy), stderr: new Sink(greedy) },
    { output: (stream, bytes) => chunks[stream].push(Buffer.from(bytes)), resumed() {} },
    silent,
  );
  const exit = await started.exited;
  await reader.finished();
  reader.close();
  return {
    stdout: Buffer.concat(chunks.stdout).toString('latin1'),
    stderr: Buffer.concat(chunks.stderr).toString('latin1'),
    exit,
    remark: started.remark,
    pid: started.pid,
  };
}
