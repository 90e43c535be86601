/** What the row budget test counts, whether it is within its budgets or not. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { BUDGETED, type Budgeted, type Cost } from '#shared/cost-model';
import { ROOT } from '../../scripts/local/paths.ts';
import type { Cleanup } from '../measure/cleanup.ts';
import { temporaryDirectory } from '../measure/temporary-directory.ts';

const VITEST = join(ROOT, 'node_modules', '.bin', 'vitest');
const TEST = 'worker/test/row-budget.test.ts';

const lines = Object.keys(BUDGETED) as Budgeted[];
const Counted = v.object({
  line: v.picklist(lines),
  cost: v.object({
    objectRows: v.number(),
    d1Rows: v.number(),
    setAlarms: v.number(),
    alarms: v.number(),
    requests: v.number(),
    workerRequests: v.number(),
  }),
});
/** As vitest's JSON reporter writes it. */
const TestReport = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ testResults: v.array(v.object({ assertionResults: v.array(v.object({ meta: v.unknown() })) })) }),
);

export async function countCosts(cleanup: Cleanup): Promise<ReadonlyMap<Budgeted, Cost>> {
  const directory = await temporaryDirectory(cleanup);
  const report = join(directory, 'report.json');
  const args = ['run', '--project', 'worker', TEST, '--reporter=json', `--outputFile=${report}`];
  const vitest = spawn(VITEST, args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'] });
  cleanup.add(() => void vitest.kill('SIGTERM'));
  const complaints = await complaintsOf(vitest);
  const { testResults } = v.parse(TestReport, await readFile(report, 'utf8'));
  const counted = testResults.flatMap(({ assertionResults }) =>
    assertionResults.flatMap(({ meta }) => {
      const result = v.safeParse(Counted, meta);
      return result.success ? [[result.output.line, result.output.cost] as const] : [];
    }),
  );
  if (counted.length === 0) throw new Error(`${TEST} counted nothing: ${complaints}`);
  return new Map(counted);
}

/** Waits for its end. @returns what it has printed to stderr */
async function complaintsOf(child: ChildProcess): Promise<string> {
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child, 'close');
  return text;
}
