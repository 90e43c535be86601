/**
 * Which environment variables hold secrets, judged by their names.
 *
 * The lists that CI agents ship were the start (`*_PASSWORD`, `*_SECRET`, `*_TOKEN`, `*_ACCESS_KEY`, …). They match the
 * end of a name only, and miss `…_SECRETS` and `…_TOKEN_PROD`. So a name is read as words: one of them names a secret,
 * and none of those after it says that the value is only about that secret.
 */

/** These name a secret in any position, and also as the end of a word: `PGPASSWORD`. */
const SECRET_NOUN =
  /(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|APIKEY|ACCESSKEY|SECRETKEY|PRIVATEKEY|AUTHKEY|MASTERKEY)S?$/;

/** A `KEY` is one of many things: a secret after one of these. Not `PUBLIC`, nor `GPG`, which is mostly a fingerprint. */
const KEYS_OF = new Set(
  (
    'ACCESS ACCOUNT API APP AUTH DECRYPTION DEPLOY ENCRYPTION HMAC JWT LICENSE MASTER PRIVATE SECRET SESSION SHARED ' +
    'SIGNING SSH'
  ).split(' '),
);

/** These are too short or too common to mean a secret unless they end the name: `DB_PASS`, `MYSQL_PWD`. */
const SECRET_ENDINGS = new Set(['PASS', 'PWD', 'PAT', 'JWT', 'COOKIE', 'AUTHORIZATION']);

/** Before `PWD` these mean a working directory. */
const DIRECTORY_WORDS = new Set('OLD ORIG ORIGINAL INIT INITIAL START STARTING LAST PREV PREVIOUS CURRENT'.split(' '));

/** After a secret's noun: the value is where the secret is, or something about it, but not the secret. */
const ABOUT_WORDS = new Set(
  (
    'FILE FILES FILENAME PATH PATHS DIR DIRECTORY FOLDER STORE FD SOCK SOCKET URL URLS URI ENDPOINT HOST PORT REGION ' +
    'ARN ID IDS NAME NAMES USER USERNAME FIELD HEADER PREFIX SUFFIX TYPE KIND FORMAT ALG ALGORITHM VERSION ISSUER ' +
    'AUDIENCE SCOPE SCOPES TTL EXPIRY EXPIRES EXPIRATION LIFETIME DURATION TIMEOUT INTERVAL AGE LENGTH SIZE MIN MAX ' +
    'COUNT LIMIT LIMITS RATE BUDGET ENABLED DISABLED REQUIRED POLICY MANAGER PROVIDER BACKEND COMMAND CMD HELPER PROMPT'
  ).split(' '),
);

/** Names used by well-known programs that the rules don't cover. */
const KNOWN_NAMES = new Set([
  'REDISCLI_AUTH',
  'SSHPASS',
  'DOCKER_AUTH_CONFIG',
  'BASIC_AUTH',
  'NPM_CONFIG_AUTH',
  'VAULT_SECRET_ID',
]);

/** Whether a variable of this name is taken to hold a secret. Case does not matter. */
export function isSecretName(name: string): boolean {
  const words = wordsOf(name);
  if (KNOWN_NAMES.has(words.join('_'))) return true;
  const noun = words.findLastIndex((_, index) => namesSecret(words, index));
  return noun >= 0 && !words.slice(noun + 1).some((word) => ABOUT_WORDS.has(word));
}

/** `npm_config__authToken2` has the words NPM, CONFIG, AUTH and TOKEN. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .split(/[^A-Z0-9]+/)
    .map((word) => word.replace(/\d+$/, ''))
    .filter((word) => word !== '');
}

function namesSecret(words: readonly string[], index: number): boolean {
  const word = words[index] ?? '';
  const before = words[index - 1] ?? '';
  if (SECRET_NOUN.test(word)) return true;
  if (word === 'KEY' || word === 'KEYS') return KEYS_OF.has(before);
  if (word === 'STRING' || word === 'STRINGS') return before === 'CONNECTION';
  if (index < words.length - 1 || !SECRET_ENDINGS.has(word)) return false;
  return word !== 'PWD' || (index > 0 && !DIRECTORY_WORDS.has(before));
}
