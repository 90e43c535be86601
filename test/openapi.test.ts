/** The API's own description. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { useWorld } from './support/use-world.ts';

const world = useWorld();

test('the document is OpenAPI', async () => {
  const response = await fetch(`${world.current.url}/openapi.json`);
  const { valid, errors } = await new Validator().validate((await response.json()) as Record<string, unknown>);
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
});
