/** The folders of `wrapper/src` are layers: each imports only from the same or an earlier line. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));
/** As in docs/architecture.md. */
const LAYERS = [
  ['host', 'clock'],
  ['format'],
  ['logging'],
  ['config', 'redact', 'buffer'],
  ['processes', 'spool'],
  ['state', 'kill'],
  ['journal'],
  ['output'],
  ['launch'],
  ['link'],
  ['guardian'],
  ['orphans'],
  ['flush'],
  ['run'],
  ['adopt'],
  ['cli'],
  ['main.ts'],
];

test('no folder imports from a later layer', () => {
  const backward = globSync('**/*.ts', { cwd: SRC }).flatMap((file) =>
    importsOf(file)
      .filter((imported) => folderOf(imported) !== folderOf(file) && layerOf(imported) >= layerOf(file))
      .map((imported) => `${file} imports ${imported}`),
  );
  expect(backward).toEqual([]);
});

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  return [...text.matchAll(/(?:from |import\()'(\.[^']+)'/g)].map(([, path = '']) => join(dirname(file), path));
}

function folderOf(file: string): string {
  return file.split(sep)[0] ?? '';
}

function layerOf(file: string): number {
  const layer = LAYERS.findIndex((folders) => folders.includes(folderOf(file)));
  expect(layer, `${folderOf(file)} has no layer`).not.toBe(-1);
  return layer;
}
