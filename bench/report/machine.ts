/** What the measurements were made on: without it they say nothing. */
import { readFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { ROOT } from '../../scripts/local/paths.ts';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  readonly workerd: string;
  readonly leash: string;
  /** The load of the minute before: above a few tenths, the machine had other things to do. */
  readonly load: number;
  readonly at: string;
}

const Package = v.object({ version: v.string() });

export async function describeMachine(): Promise<Machine> {
  const [processor] = cpus();
  return {
    processor: (processor?.model ?? 'unknown processor').replaceAll(/\(R\)|\(TM\)| CPU| Processor/g, '').trim(),
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    workerd: await versionOf(join('node_modules', 'workerd')),
    leash: await versionOf('.'),
    load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    at: new Date().toISOString(),
  };
}

async function versionOf(folder: string): Promise<string> {
  const text = await readFile(join(ROOT, folder, 'package.json'), 'utf8');
  return v.parse(Package, JSON.parse(text)).version;
}
