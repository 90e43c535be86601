/** The body of `POST /tokens`. Apart from the resources: only one page makes tokens. */
import * as v from 'valibot';
import { isForWrappersOnly, SCOPES, Scope } from './api.ts';
import { hasInvisible } from './invisible-characters.ts';
import { Glob } from './names.ts';
import { InputTime } from './time.ts';

export const NewToken = v.pipe(
  v.strictObject({
    name: v.pipe(
      v.string(),
      v.minLength(1),
      v.maxLength(100),
      v.check((name) => !hasInvisible(name), 'must not contain invisible characters or direction overrides'),
    ),
    scopes: v.pipe(v.array(Scope), v.minLength(1), v.maxLength(SCOPES.length)),
    jobs: v.optional(Glob, '*'),
    machines: v.optional(Glob, '*'),
    expires_at: v.optional(
      v.nullable(
        v.pipe(
          InputTime,
          v.check((text) => Date.parse(text) > Date.now(), 'must be in the future'),
        ),
      ),
      null,
    ),
  }),
  v.check(
    ({ scopes, machines }) => machines === '*' || isForWrappersOnly(scopes),
    '`machines` is allowed only with the scopes `run` and `saltpeter`',
  ),
);
export type NewToken = v.InferOutput<typeof NewToken>;
