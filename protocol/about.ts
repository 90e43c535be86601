/** What a job is, as the command line of `leash run` says: whom to ask, and what to do. */
import * as v from 'valibot';
import { hasInvisible } from './invisible-characters.ts';

export const MAX_TAGS = 20;
const MAX_OWNER_CHARS = 100;
const MAX_RUNBOOK_CHARS = 500;
const MAX_NOTE_CHARS = 500;

const isPlain = (text: string) => !hasInvisible(text);
const NOT_PLAIN = 'must not contain line breaks, invisible characters or direction overrides';

/** Such as `nightly` or `team:data`. */
export const Tag = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$/,
    'must start with a letter or digit and have at most 64 letters, digits, dots, underscores, colons, slashes and dashes',
  ),
);

export const Tags = v.pipe(v.array(Tag), v.maxLength(MAX_TAGS, `must be at most ${MAX_TAGS}`));

const text = (maxChars: number) =>
  v.pipe(
    v.string(),
    v.minLength(1, 'must not be empty'),
    v.maxLength(maxChars, `must have at most ${maxChars} characters`),
    v.check(isPlain, NOT_PLAIN),
  );

export const Owner = text(MAX_OWNER_CHARS);

/** Only what a browser may open. */
export const Runbook = v.pipe(
  v.string(),
  v.maxLength(MAX_RUNBOOK_CHARS, `must have at most ${MAX_RUNBOOK_CHARS} characters`),
  v.url('must be a URL'),
  v.regex(/^https?:\/\//i, 'must start with https:// or http://'),
  v.check(isPlain, NOT_PLAIN),
);

export const Note = text(MAX_NOTE_CHARS);

export const About = v.object({
  tags: v.optional(Tags, []),
  owner: v.optional(v.nullable(Owner), null),
  runbook: v.optional(v.nullable(Runbook), null),
  note: v.optional(v.nullable(Note), null),
});
export type About = v.InferOutput<typeof About>;

export const NO_ABOUT: About = { tags: [], owner: null, runbook: null, note: null };
