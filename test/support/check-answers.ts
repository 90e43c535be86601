/** Every answer that a test gets from a control plane must be what the control plane's own OpenAPI document says. */
import { afterEach, expect } from 'vitest';
import { violations } from './checked-fetch.ts';

afterEach(() => {
  expect(violations.splice(0)).toEqual([]);
});
