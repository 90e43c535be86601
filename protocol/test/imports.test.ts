/** Imports run one way, between the parts of the repository and between the folders of each part. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What each part may import besides itself. Tests and configurations may import more. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  shared: ['protocol'],
  worker: ['protocol', 'shared', 'package.json'],
  wrapper: ['protocol', 'shared', 'package.json'],
  dashboard: ['protocol', 'shared'],
};

/**
 * The layers of each folder, as docs/architecture.md has them. A layer imports only from earlier lines: never from a
 * later one, nor from another in the same line. `a + b` is one layer of two folders; `''` is what no other layer has.
 */
const LAYERS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  worker: [['shared'], ['src', 'durable'], ['index.ts']],
  'worker/src': [
    ['api-error.ts', 'audit-entry.ts', 'habits.ts', 'index-room.ts', 'revocation.ts'],
    ['kills', 'mcp', 'report', 'saltpeter'],
    ['brakes', 'kill-links'],
    ['http'],
    ['sweep.ts'],
  ],
  'worker/src/mcp': [['api.ts', 'describe.ts', 'json-rpc.ts'], ['tool.ts'], ['tools'], ['serve-mcp.ts']],
  'worker/src/http': [[''], ['output'], ['routes'], ['operations.ts'], ['app.ts']],
  'wrapper/src': [
    ['host', 'clock'],
    ['format'],
    ['logging'],
    ['config', 'redact', 'buffer'],
    ['http'],
    ['processes', 'spool'],
    ['state', 'kill', 'usage'],
    ['journal'],
    ['output'],
    ['launch'],
    ['link'],
    ['guardian'],
    ['orphans'],
    ['crontab'],
    ['install'],
    ['flush'],
    ['ask'],
    ['run'],
    ['adopt'],
    ['operator'],
    ['doctor'],
    ['cli'],
    ['main.ts'],
  ],
  'dashboard/src': [
    ['style'],
    ['api + format + output + state'],
    ['router.tsx'],
    ['components + hooks + keyboard'],
    ['pages'],
    ['app.tsx'],
    ['main.tsx'],
  ],
  'dashboard/src/pages': [
    ['alerts', 'audit', 'job', 'kills', 'last-night', 'machines', 'overview', 'run', 'sign-in', 'timeline', 'tokens'],
  ],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

const IMPORTS = sourceFiles().flatMap(importsOf);

test('parts import protocol and shared, never each other', () => {
  const wrong = IMPORTS.filter(({ from, to }) => {
    const [part, other] = [partOf(from), partOf(to)];
    return part !== other && !PARTS[part]?.includes(other);
  });
  expect(wrong.map(described)).toEqual([]);
});

test.each(Object.keys(LAYERS))('the layers of %s import only earlier ones', (folder) => {
  const within = IMPORTS.filter(({ from, to }) => isIn(folder, from) && isIn(folder, to));
  expect(within.length).toBeGreaterThan(0);
  const wrong = within.filter(({ from, to }) => {
    const [own, other] = [layerOf(folder, from), layerOf(folder, to)];
    return own.name !== other.name && other.line >= own.line;
  });
  expect(wrong.map(described)).toEqual([]);
});

/** Not the tests, and not what configures them. */
function sourceFiles(): string[] {
  return globSync(
    Object.keys(PARTS).map((part) => `${part}/**/*.{ts,tsx}`),
    { cwd: ROOT },
  ).filter((file) => !/\/(?:test|node_modules)\/|vite(st)?\.[\w.]*config\.ts$/.test(file));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(/(?:from |import |import\()'([^']+)'/g)].flatMap(([, specifier = '']) => {
    if (specifier.startsWith('#')) return [{ from: file, to: `${specifier.slice(1)}.ts` }];
    return specifier.startsWith('.') ? [{ from: file, to: normalize(join(dirname(file), specifier)) }] : [];
  });
}

function partOf(path: string): string {
  return path.split('/')[0] ?? '';
}

function isIn(folder: string, path: string): boolean {
  return path.startsWith(`${folder}/`) && !path.startsWith(`${folder}/test/`);
}

/** The layer of a path below a folder. */
function layerOf(folder: string, path: string): { readonly line: number; readonly name: string } {
  const below = path.slice(folder.length + 1);
  const layers = (LAYERS[folder] ?? []).flatMap((line, index) =>
    line.map((name) => ({ line: index, name, folders: name.split(' + ') })),
  );
  const found =
    layers.find(({ folders }) => folders.some((name) => below === name || below.startsWith(`${name}/`))) ??
    layers.find(({ name }) => name === '');
  if (found === undefined) throw new Error(`${path} is in no layer of ${folder}: see LAYERS in this file`);
  return found;
}

function described({ from, to }: Import): string {
  return `${from} imports ${to}`;
}
