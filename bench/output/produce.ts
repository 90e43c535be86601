/** The command that prints much, and what it has noted. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';

const PRODUCER = fileURLToPath(new URL('./producer.mjs', import.meta.url));

const Production = v.pipe(v.string(), v.parseJson(), v.object({ beganAtMs: v.number(), tookMs: v.number() }));
export type Production = v.InferOutput<typeof Production>;

/** @param bytesPerSecond Infinity: as fast as it is read */
export function producer(bytes: number, bytesPerSecond: number, noted: string): string[] {
  return [process.execPath, PRODUCER, String(bytes), String(bytesPerSecond), noted];
}

export function readProduction(noted: string): Production {
  return v.parse(Production, readFileSync(noted, 'utf8'));
}
