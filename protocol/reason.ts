/** Why an operator kills runs or sets a brake, in their own words. */
import * as v from 'valibot';
import { showInvisible } from './invisible-characters.ts';
import { MAX_REASON_CHARS } from './limits.ts';

/** Shown in one line with other text, so invisible characters are escaped. */
export const Reason = v.pipe(
  v.string(),
  v.maxLength(MAX_REASON_CHARS),
  v.transform((text) => showInvisible(text.replaceAll(/[\t\n\r]+/g, ' '))),
);
