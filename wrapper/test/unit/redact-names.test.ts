import { expect, test } from 'vitest';
import { isSecretName } from '../../src/redact/secret-names.ts';
import { secretValues } from '../../src/redact/secrets.ts';

test.each([
  'PASSWORD',
  'DB_PASSWORD',
  'PGPASSWORD',
  'MYSQL_PWD',
  'DB_PASS',
  'SSHPASS',
  'BORG_PASSPHRASE',
  'SMB_PASSWD',
  'CLIENT_SECRET',
  'APP_SECRETS',
  'SECRET_KEY_BASE',
  'GITHUB_TOKEN',
  'GITHUBTOKEN',
  'TOKEN',
  'github_token',
  'npm_config__authToken',
  'LEASH_TOKEN',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'OPENAI_API_KEY',
  'OPENAI_APIKEY',
  'STRIPE_API_KEY_PROD',
  'API_KEY_2',
  'TOKEN2',
  'DEPLOY_PRIVATE_KEY',
  'RAILS_MASTER_KEY',
  'RESTIC_ENCRYPTION_KEY',
  'AZURE_STORAGE_CONNECTION_STRING',
  'AZURE_CREDENTIALS',
  'DB_CREDENTIAL',
  'GITHUB_PAT',
  'RABBITMQ_ERLANG_COOKIE',
  'REDISCLI_AUTH',
  'ACTIONS_ID_TOKEN_REQUEST_TOKEN',
  'TOKEN_PROVIDER_PASSWORD',
  'VAULT_SECRET_ID',
])('%s holds a secret', (name) => {
  expect(isSecretName(name)).toBe(true);
});

test.each([
  'PATH',
  'HOME',
  'PWD',
  'OLDPWD',
  'ORIGINAL_PWD',
  'KEY',
  'SSH_AUTH_SOCK',
  'SSH_ASKPASS',
  'GPG_KEY',
  'PUBLIC_KEY',
  'KEYBOARD',
  'PASSENGER_ENV',
  'TOKENIZERS_PARALLELISM',
  'AUTHOR',
  'DB_PASSWORD_FILE',
  'LEASH_TOKEN_FILE',
  'CREDENTIALS_DIRECTORY',
  'PASSWORD_STORE_DIR',
  'PRIVATE_KEY_PATH',
  'TOKEN_URL',
  'OAUTH_TOKEN_URL_BASE',
  'ACTIONS_ID_TOKEN_REQUEST_URL',
  'SESSION_TOKEN_TTL',
  'PASSWORD_MIN_LENGTH',
  'AWS_ACCESS_KEY_ID',
  'SECRET_NAME',
  'AWS_SECRETS_MANAGER_REGION',
  'RESTIC_PASSWORD_COMMAND',
  'CSRF_TOKEN_HEADER',
])('%s holds none', (name) => {
  expect(isSecretName(name)).toBe(false);
});

const strings = (env: Record<string, string | undefined>, extra: string[] = []) =>
  secretValues(env, extra).map((bytes) => Buffer.from(bytes).toString());

test.each([
  ['five bytes', 'ab1cd'],
  ['nothing', ''],
  ['white space', '          '],
  ['a word of configuration', 'production'],
  ['such a word in capitals', 'Disabled'],
  ['a number that may be a date', '20261123'],
  ['a number that may be a limit', '128000'],
  ['a file', '/run/secrets/db'],
  ['a file of another directory', '/keys/service-account.json'],
  ['a file at home', '~/.ssh/id_rsa'],
])('%s is left alone', (_, value) => {
  expect(strings({ DB_PASSWORD: value })).toEqual([]);
});

test.each([
  ['six bytes', 'ab1cde'],
  ['three characters of two bytes', 'äöü'],
  ['a long number', '4111111111111111'],
  ['base64 that starts with a slash', '/wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'],
])('%s is hidden', (_, value) => {
  expect(strings({ DB_PASSWORD: value })).toContain(value);
});

test('values come once, longest first, without the white space around them', () => {
  expect(
    strings({ A_TOKEN: 'short-1', B_TOKEN: ' longer-one-2\n', C_TOKEN: 'short-1', HOME: '/root' }, ['extra-token-3']),
  ).toEqual(['extra-token-3', 'longer-one-2', 'short-1']);
});

test('an unset variable has no value to hide', () => {
  expect(strings({ A_TOKEN: undefined })).toEqual([]);
});

test.each([
  ['DATABASE_URL', 'postgres://user:hunter22@db:5432/app', 'hunter22'],
  ['REDIS', 'redis://:hunter22@cache', 'hunter22'],
  ['HTTPS_PROXY', 'http://u:p%40ssw0rd@proxy:3128', 'p@ssw0rd'],
  ['AT_SIGN', 'amqp://u:p@ssw0rd@mq', 'p@ssw0rd'],
  ['JDBC', 'jdbc:postgresql://db/app?user=u&password=hunter22&ssl=true', 'hunter22'],
  ['PG_DSN', 'host=db user=u password=hunter22 dbname=app', 'hunter22'],
  ['ADO', 'Server=db;User Id=u;Password=hunter22;', 'hunter22'],
])('the password in %s is hidden by itself', (name, value, password) => {
  expect(strings({ [name]: value })).toContain(password);
  expect(strings({ [name]: value })).not.toContain(value);
});

test.each(['https://example.com:8443/a@b', 'git@github.com:a/b', 'ssh://git@github.com/a', 'x:password'])(
  'there is no password in %s',
  (value) => {
    expect(strings({ SOME_URL: value })).toEqual([]);
  },
);

test('a key of several lines is hidden as a whole and by its lines, except for those that every key has', () => {
  const line = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDAbCdEfGh1JkLm';
  const pem = `-----BEGIN PRIVATE KEY-----\n${line}\nshort=\n-----END PRIVATE KEY-----\n`;
  for (const value of [pem, pem.replaceAll('\n', '\r\n'), pem.replaceAll('\n', '\\n')]) {
    const found = strings({ DEPLOY_PRIVATE_KEY: value });
    expect(found).toContain(value.trim());
    expect(found).toContain(line);
    expect(found).not.toContain('short=');
    expect(found.filter((each) => each.startsWith('-----') && !each.includes('MII'))).toEqual([]);
  }
});

test('a value is hidden in the forms in which programs print it', () => {
  const found = strings({ A_SECRET: `it's "a/b"` });
  expect(found).toEqual(expect.arrayContaining([`it'\\''s "a/b"`, `it's \\"a/b\\"`, `it's%20%22a%2Fb%22`]));
});

test('a huge environment is read quickly', () => {
  // Would take minutes where the time grows with the square of the length.
  expect(strings({ A: 'a'.repeat(2_000_000), B: ':/'.repeat(1_000_000), C: 'p='.repeat(1_000_000) })).toEqual([]);
});
