/** The API's own description. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { PROBLEM_CODES, problemStatus } from '#protocol/problem';
import { ROOT } from '../scripts/local/paths.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();

test('the document is OpenAPI', async () => {
  const response = await fetch(`${environment().url}/openapi.json`);
  const { valid, errors } = await new Validator().validate((await response.json()) as Record<string, unknown>);
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
});

/** The cells of the table rows in a section of docs/protocol.md. */
async function tableRows(heading: string): Promise<string[][]> {
  const manual = await readFile(join(ROOT, 'docs', 'protocol.md'), 'utf8');
  const section = manual.split(/^#+ /m).find((text) => text.startsWith(heading)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((row) => row.split(' | ').map((cell) => cell.replaceAll(/^\| | \|$/g, '')));
}

test('the manual lists every operation, and no others', async () => {
  const response = await fetch(`${environment().url}/openapi.json`);
  const { paths } = (await response.json()) as { paths: Record<string, Record<string, unknown>> };
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace('/api/v1', '')}`),
  );
  const listed = (await tableRows('The HTTPS API')).map(([call = '']) => /`(.*?)`/.exec(call)?.[1]);
  expect(listed.sort()).toEqual(calls.sort());
});

test('the manual lists every error code with its status', async () => {
  const listed = (await tableRows('Errors')).map(([code, status]) => [code, status]);
  expect(listed.sort()).toEqual(PROBLEM_CODES.map((code) => [`\`${code}\``, String(problemStatus(code))]).sort());
});

test('the built control plane returns metrics, too', async () => {
  const headers = { authorization: `Bearer ${environment().operatorToken}` };
  const response = await fetch(`${environment().url}/metrics`, { headers });
  expect(await response.text()).toMatch(/^leash_build_info\{version="\d+\.\d+\.\d+"\} 1$/m);
});
