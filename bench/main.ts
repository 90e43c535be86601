/**
 * `npm run bench`: measures what Leash promises, beside the floor of each figure in the same run, and says which aims are
 * met. docs/performance.md has the last results.
 *
 *     npm run bench                       everything, in about five minutes
 *     npm run bench -- kill cost          some of it: kill, output, wrapper, scale, cost, page
 *     npm run -s bench -- kill --json     one JSON document on stdout
 *     npm run bench -- --quick            few samples: to see that it works
 *     npm run bench -- --write-docs       puts the results into docs/performance.md
 *
 * `node bench/main.ts …` is the same without a build. Close whatever else uses the machine.
 */
import { parseArgs } from 'node:util';
import { onStopRequest } from '../scripts/local/stop-request.ts';
import type { Bench, BenchOptions } from './bench.ts';
import { killBench } from './kill/kill-bench.ts';
import { Cleanup } from './measure/cleanup.ts';
import { outputBench } from './output/output-bench.ts';
import { describeMachine, type Machine } from './report/machine.ts';
import { Progress } from './report/progress.ts';
import { type BenchResult, isMet } from './report/result.ts';
import { formatHeading, formatResult } from './report/terminal.ts';
import { scaleBench } from './scale/scale-bench.ts';
import { wrapperBench } from './wrapper/wrapper-bench.ts';

const BENCHES: readonly Bench[] = [killBench, outputBench, wrapperBench, scaleBench];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    wrappers: { type: 'string', default: '2000' },
    jobs: { type: 'string', default: '1000,2000' },
    megabytes: { type: 'string', default: '100' },
    node: { type: 'string', default: process.execPath },
  },
});
const unknown = positionals.filter((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown.length > 0) {
  console.error(`unknown bench: ${unknown.join(', ')}. There are ${BENCHES.map(({ name }) => name).join(', ')}.`);
  process.exit(2);
}
const chosen = BENCHES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const options: BenchOptions = {
  isQuick: values.quick,
  wrappers: Number(values.wrappers),
  jobs: values.jobs.split(',').map(Number),
  outputBytes: Number(values.megabytes) * 1e6,
  node: values.node,
};

const cleanup = new Cleanup();
void onStopRequest().then(async () => {
  await cleanup.run();
  process.exit(130);
});

const machine = await describeMachine();
if (!values.json) console.log(`${describeText(machine)}\n`);
const results: { name: string; title: string; seconds: number; result: BenchResult }[] = [];
for (const bench of chosen) {
  const beganAt = performance.now();
  const progress = new Progress(bench.name);
  try {
    const result = await bench.run({ options, cleanup, progress: (text) => progress.show(text) });
    const seconds = (performance.now() - beganAt) / 1000;
    progress.clear();
    results.push({ name: bench.name, title: bench.title, seconds, result });
    if (!values.json) console.log(`${formatHeading(bench, seconds)}\n\n${formatResult(result)}\n`);
  } finally {
    progress.clear();
    await cleanup.run();
  }
}
const aims = results.flatMap(({ result }) => result.aims);
const missed = aims.filter((aim) => !isMet(aim));
if (values.json) console.log(JSON.stringify({ machine, benches: results }, null, 2));
else console.log(`${aims.length - missed.length} of ${aims.length} aims met`);
process.exit(0);

function describeText({ processor, cores, memoryGib, system, node, leash, load }: Machine): string {
  return `Leash ${leash} on ${cores} × ${processor}, ${memoryGib} GiB, ${system}, Node.js ${node}; load ${load} at the start`;
}
