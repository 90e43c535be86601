/** Other settings than those of wrangler.toml, for a whole file of tests: an object reads them when it is constructed. */
import { afterAll, beforeAll } from 'vitest';
import type { SettingVars } from '../../shared/settings.ts';
import { env } from './env.ts';

/** Binds a bucket for output, for a whole file of tests. */
export function useBucket(): void {
  const bindings: { OUTPUT_BUCKET?: R2Bucket } = env;
  beforeAll(() => {
    bindings.OUTPUT_BUCKET = env.TEST_BUCKET;
  });
  afterAll(() => {
    delete bindings.OUTPUT_BUCKET;
  });
}

export function useSettings(vars: Partial<SettingVars>): void {
  const bindings: { -readonly [Name in keyof SettingVars]: string } = env;
  const before = { ...bindings };
  beforeAll(() => {
    Object.assign(bindings, vars);
  });
  afterAll(() => {
    for (const name of Object.keys(vars) as (keyof SettingVars)[]) bindings[name] = before[name];
  });
}
