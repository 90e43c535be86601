/** Every response of a control plane must conform to the control plane's own OpenAPI document. */
import { afterEach, expect } from 'vitest';
import { violations } from './checked-fetch.ts';

afterEach(() => {
  expect(violations.splice(0)).toEqual([]);
});
