/**
 * `npm run bench`: measures what Leash promises, beside the floor of each figure in the same run, and says which aims are
 * met. docs/performance.md has the last results.
 *
 *     npm run bench                       everything, in about twelve minutes
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
import { BENCHES } from './benches.ts';
import { Cleanup } from './measure/cleanup.ts';
import { describeMachine } from './report/machine.ts';
import { machineText, writePerformanceDoc } from './report/performance-doc.ts';
import { Progress } from './report/progress.ts';
import { isMet, type Report } from './report/result.ts';
import { formatHeading, formatResult } from './report/terminal.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    'write-docs': { type: 'boolean', default: false },
    wrappers: { type: 'string', default: '2000' },
    jobs: { type: 'string', default: '1000,2000' },
    slowdown: { type: 'string', default: '1' },
    megabytes: { type: 'string', default: '100' },
    node: { type: 'string', default: process.execPath },
  },
});
const unknown = positionals.filter((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown.length > 0) {
  console.error(`unknown bench: ${unknown.join(', ')}. There are ${BENCHES.map(({ name }) => name).join(', ')}.`);
  process.exit(2);
}
if (values['write-docs'] && values.quick) {
  console.error('--quick and --write-docs are mutually exclusive: few samples are not worth keeping');
  process.exit(2);
}
const chosen = BENCHES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const options: BenchOptions = {
  isQuick: values.quick,
  wrappers: Number(values.wrappers),
  jobs: values.jobs.split(',').map(Number),
  slowdown: Number(values.slowdown),
  outputBytes: Number(values.megabytes) * 1e6,
  node: values.node,
};

const cleanup = new Cleanup();
let isStopping = false;
void onStopRequest().then(async () => {
  isStopping = true;
  await cleanup.run();
  process.exit(130);
});

try {
  await measureAll();
  process.exit(0);
} catch (error) {
  // What was being measured fails when everything is ended under it.
  if (!isStopping) throw error;
}

async function measureAll(): Promise<void> {
  const machine = await describeMachine();
  if (!values.json) console.log(`${machineText(machine)}\n`);
  const reports: Report[] = [];
  for (const bench of chosen) {
    const report = await measure(bench);
    reports.push(report);
    if (!values.json) console.log(`${formatHeading(report)}\n\n${formatResult(report.result)}\n`);
  }
  const aims = reports.flatMap(({ result }) => result.aims);
  if (values.json) console.log(JSON.stringify({ machine, benches: reports }, null, 2));
  else console.log(`${aims.filter(isMet).length} of ${aims.length} aims met`);
  if (values['write-docs']) await writePerformanceDoc(machine, reports);
}

async function measure(bench: Bench): Promise<Report> {
  const { name, title } = bench;
  const progress = new Progress(name);
  const beganAt = performance.now();
  try {
    const result = await bench.run({ options, cleanup, progress: (text) => progress.show(text) });
    return { name, title, seconds: Math.round((performance.now() - beganAt) / 1000), result };
  } finally {
    progress.clear();
    await cleanup.run();
  }
}
