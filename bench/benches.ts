/** All of them, in the order in which they run. */
import type { Bench } from './bench.ts';
import { costBench } from './cost/cost-bench.ts';
import { killBench } from './kill/kill-bench.ts';
import { outputBench } from './output/output-bench.ts';
import { pageBench } from './page/page-bench.ts';
import { scaleBench } from './scale/scale-bench.ts';
import { wrapperBench } from './wrapper/wrapper-bench.ts';

export const BENCHES: readonly Bench[] = [killBench, outputBench, wrapperBench, scaleBench, costBench, pageBench];
