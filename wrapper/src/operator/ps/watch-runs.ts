/** `leash ps --watch`: what runs, as it changes, until Ctrl-C. */

import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { OperatorContext } from '../operator-context.ts';
import { type Producer, ReaderPace } from '../reader-pace.ts';
import { untilInterrupted } from '../screen/interruption.ts';
import { canRedraw, stdoutScreen } from '../screen/stdout-screen.ts';
import { RunJsonLines, RunLines, RunsTable, type RunsView } from './runs-view.ts';
import { RunsWatcher } from './runs-watcher.ts';
import type { WatchFilter } from './watched-runs.ts';

export async function watchRuns(filter: WatchFilter, asJson: boolean, context: OperatorContext): Promise<ExitCode> {
  const pace = new ReaderPace();
  const interruption = untilInterrupted();
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  const watcher: RunsWatcher = new RunsWatcher(context.api, filter, {
    changed: (change) => {
      view.changed(change);
      pace.written(producer);
    },
    status: (status) => view.status(status),
    failed: (error) => fail(error),
  });
  const producer: Producer = { pause: () => watcher.pause(), resume: () => watcher.resume() };
  const view = openView(watcher, asJson, context);
  try {
    await Promise.race([interruption.promise, failed]);
    return EXIT.done;
  } finally {
    view.close();
    watcher.close();
    interruption.stop();
  }
}

function openView(watcher: RunsWatcher, asJson: boolean, { api, output, env }: OperatorContext): RunsView {
  const now = () => api.now();
  if (asJson) return new RunJsonLines(output);
  if (!canRedraw(env)) return new RunLines(output, now);
  const table = new RunsTable({
    screen: stdoutScreen(),
    hasColour: output.terminal.hasColour,
    shown: () => watcher.runs.shown(api.now()),
    now,
  });
  process.stdout.on('resize', () => table.resized());
  return table;
}
