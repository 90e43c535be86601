/** The secret values of an environment: what must not leave the machine, as the bytes it would be printed as. */
import { toBytes } from '../host/undecodable-bytes.ts';
import { isSecretName } from './secret-names.ts';

/**
 * Shorter values are left alone. At 6 the short passwords that people do have are still covered; what is shorter occurs
 * in ordinary text, where a hole both spoils the log and gives the value away.
 */
export const MIN_SECRET_BYTES = 6;

/** Numbers with fewer digits than this are dates, ids, sizes and limits (`MAX_TOKENS=128000`) more often than secrets. */
const MIN_DIGITS = 10;

/** A line of a value of several lines is recognised by itself from this length on. */
const MIN_LINE_BYTES = 16;

/** Words of configuration and first passwords that every log has: hiding them hides nothing else. */
const PLAIN_WORDS = new Set(
  (
    'enabled disabled required optional default unknown undefined automatic production development staging testing ' +
    'sandbox preview example localhost private public internal external password passwd secret secrets postgres ' +
    'mariadb mongodb rabbitmq elastic oracle vagrant docker kubernetes keyring keychain'
  ).split(' '),
);

/** Files: under the usual directories, or with an extension. A base64 secret may well start with a slash, too. */
const FILE_PATH = /^(?:~\/|\/(?:home|root|etc|run|var|usr|opt|srv|tmp|mnt|proc|dev|Users)\/|\/[\w./@+-]*\.[a-z]{2,4}$)/;

/** The password in `scheme://user:password@host`. An unescaped `@` is part of it. */
const URL_PASSWORD = /:\/\/[^\s:@/?#]*:([^\s/?#]+)@/g;

/** The password in connection strings that list `key=value`. */
const LISTED_PASSWORD =
  /(?:^|[\s;&?])(?:password|passwd|pwd|accountkey|sharedaccesskey|sharedaccesssignature)=([^\s;&]+)/gi;

/** Also as `\n`, which is how a key is put on one line. */
const LINE_END = /\r\n|\r|\n|\\n/;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The values to hide: those of variables with a secret's name, the passwords within URLs and connection strings in
 * variables of any name, and `extra` values that are known to be secret. Each also in the forms in which programs print
 * it: quoted for a shell, in JSON, in a URL.
 *
 * @returns no value twice, longest first; a value within another one is listed by itself
 */
export function secretValues(env: Environment, extra: readonly string[] = []): Uint8Array[] {
  const found = new Set<string>();
  for (const secret of [...Object.entries(env).flatMap(secretsOf), ...extra]) {
    for (const part of partsOf(secret)) for (const form of formsOf(part)) found.add(form);
  }
  return [...found].map(toBytes).sort((a, b) => b.length - a.length || Buffer.compare(a, b));
}

function secretsOf([name, value = '']: [string, string | undefined]): string[] {
  const within = [...value.matchAll(URL_PASSWORD), ...value.matchAll(LISTED_PASSWORD)]
    .flatMap(([, password = '']) => [password, decoded(password)])
    .filter((password) => password !== '');
  return isSecretName(name) && !FILE_PATH.test(value) ? [value, ...within] : within;
}

/** The whole value without white space around it, and the lines of a long one. */
function partsOf(secret: string): string[] {
  const whole = secret.trim();
  const lines = whole.split(LINE_END).map((line) => line.trim());
  const parts = lines.length === 1 ? [] : lines.filter(isSpecificLine);
  return isWorthHiding(whole) ? [whole, ...parts] : parts;
}

function isWorthHiding(value: string): boolean {
  if (Buffer.byteLength(value) < MIN_SECRET_BYTES) return false;
  if (/^\d+$/.test(value) && value.length < MIN_DIGITS) return false;
  return !PLAIN_WORDS.has(value.toLowerCase());
}

/** Not `-----BEGIN PRIVATE KEY-----`, a brace or a comment, but base64 and the like. */
function isSpecificLine(line: string): boolean {
  return (
    Buffer.byteLength(line) >= MIN_LINE_BYTES && !line.startsWith('-----') && /\d/.test(line) && /[a-z]/i.test(line)
  );
}

function formsOf(secret: string): string[] {
  return [secret, secret.replaceAll("'", `'\\''`), JSON.stringify(secret).slice(1, -1), urlEncoded(secret)];
}

function urlEncoded(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    // Half a surrogate pair has no encoding.
    return text;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A bare percent sign: then the text is not encoded.
    return text;
  }
}
