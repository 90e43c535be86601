/** What runs leave on disk, made without running any. */
import fs from 'node:fs';
import path from 'node:path';
import { MIB } from '#protocol/limits';
import type { Complete } from '#protocol/wrapper-link';
import { WAIT_LIMIT_MS } from '#testing/patience';
import { UnackedOutput } from '../../src/output/unacked-output.ts';
import { ownProcess, type Processes } from '../../src/state/owner.ts';
import { createRunDirectory } from '../../src/state/run-directory.ts';
import { FORMAT_VERSION, type RunFacts } from '../../src/state/run-file.ts';
import { someFacts } from './run-facts.ts';

/** A run's control plane, with a token from the environment. */
export function controlPlaneOf({ url }: { readonly url: string }): RunFacts['control_plane'] {
  return { url: url.replace(/^http/, 'ws'), token_file: null, ca_file: null };
}

/** A run that ended in an outage; returns its id. */
export async function leaveRun(
  state: string,
  plane: { readonly url: string },
  {
    stdout,
    exitCode,
    ...rest
  }: { readonly stdout: Uint8Array; readonly exitCode: number } & Pick<Complete, 'left_running'>,
): Promise<string> {
  const facts = someFacts({ control_plane: controlPlaneOf(plane) });
  const created = await createRunDirectory(state, facts, self());
  if (created.kind === 'failed') throw new Error(created.why);
  const { directory } = created;
  const output = new UnackedOutput(4 * MIB, (why) => {
    throw new Error(why);
  });
  output.useSpool(directory.path, { bytes: 1024 * MIB, recompute: async () => 1024 * MIB });
  output.append('stdout', stdout);
  const flushed = await output.flush(WAIT_LIMIT_MS);
  if (flushed.kind !== 'stored') throw new Error(flushed.why);
  output.close();
  const complete: Complete = {
    type: 'complete',
    exit_code: exitCode,
    command_exit_code: exitCode,
    signal: null,
    reason: 'exited',
    duration_ms: 1_000,
    final_offset: stdout.length,
    applied_kills: [],
    ...rest,
  };
  const notWritten = await directory.writeEnd({ complete, unreported_steps: [] }, WAIT_LIMIT_MS);
  if (notWritten !== null) throw new Error(notWritten);
  await directory.release();
  return facts.run;
}

/** A run of which there is nothing but the record: its wrapper died. Returns its id. */
export function leaveFacts(state: string, changes: Parameters<typeof someFacts>[0]): string {
  const facts = { version: FORMAT_VERSION, ...someFacts(changes) };
  const directory = path.join(state, 'runs', facts.run);
  fs.mkdirSync(directory, { recursive: true });
  fs.writeFileSync(path.join(directory, 'run.json'), JSON.stringify(facts));
  fs.writeFileSync(path.join(directory, 'owner@nobody'), '');
  return facts.run;
}

function self(): Processes {
  const processes = ownProcess();
  if (processes === null) throw new Error('this process cannot be distinguished from others');
  return processes;
}
