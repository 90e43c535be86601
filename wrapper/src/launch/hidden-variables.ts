/**
 * The variables that configure Node, V8, libuv, OpenSSL, ICU and glibc's memory: they are meant for the command.
 *
 * The launcher starts Node without them (`--require ./instrument.js` would keep leash from starting, `--inspect` would
 * take the command's port). The command gets them: from the launcher's note of the environment or, where there is none,
 * from variables of these names with a prefix.
 */

/** The prefix alone is also a variable: it says that variables are hidden. */
export const HIDDEN_PREFIX = 'LEASH_HIDDEN_';

/** As the documents of Node 18 to 26, OpenSSL 3, libuv and glibc list them. */
export const HIDDEN_VARIABLES: readonly string[] = [
  'NODE_CHANNEL_FD',
  'NODE_CHANNEL_SERIALIZATION_MODE',
  'NODE_CLUSTER_SCHED_POLICY',
  'NODE_COMPILE_CACHE',
  'NODE_COMPILE_CACHE_PORTABLE',
  'NODE_DEBUG',
  'NODE_DEBUG_NATIVE',
  'NODE_DISABLE_COLORS',
  'NODE_DISABLE_COMPILE_CACHE',
  'NODE_EXTRA_CA_CERTS',
  'NODE_ICU_DATA',
  'NODE_NO_WARNINGS',
  'NODE_OPTIONS',
  'NODE_PATH',
  'NODE_PENDING_DEPRECATION',
  'NODE_PRESERVE_SYMLINKS',
  'NODE_PRESERVE_SYMLINKS_MAIN',
  'NODE_REDIRECT_WARNINGS',
  'NODE_REPL_EXTERNAL_MODULE',
  'NODE_REPL_HISTORY',
  'NODE_REPL_HISTORY_SIZE',
  'NODE_REPL_MODE',
  'NODE_SKIP_PLATFORM_CHECK',
  'NODE_TEST_CONTEXT',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'NODE_UNIQUE_ID',
  'NODE_USE_ENV_PROXY',
  'NODE_USE_SYSTEM_CA',
  'NODE_V8_COVERAGE',
  'UV_THREADPOOL_SIZE',
  'UV_USE_IO_URING',
  'OPENSSL_CONF',
  'OPENSSL_CONF_INCLUDE',
  'OPENSSL_ENGINES',
  'OPENSSL_MODULES',
  'OPENSSL_TRACE',
  'OPENSSL_ia32cap',
  'OPENSSL_armcap',
  'SSL_CERT_DIR',
  'SSL_CERT_FILE',
  'GLIBC_TUNABLES',
  'MALLOC_ARENA_MAX',
  'MALLOC_ARENA_TEST',
  'MALLOC_CHECK_',
  'MALLOC_CONF',
  'MALLOC_MMAP_MAX_',
  'MALLOC_MMAP_THRESHOLD_',
  'MALLOC_PERTURB_',
  'MALLOC_TCACHE_COUNT',
  'MALLOC_TOP_PAD_',
  'MALLOC_TRIM_THRESHOLD_',
];

/** The environment to start Node with, from which `restoreHidden` restores the original. */
export function hideFromNode(environment: Readonly<Record<string, string>>): Record<string, string> {
  const hidden = renamed(environment, (name) => (HIDDEN_VARIABLES.includes(name) ? HIDDEN_PREFIX + name : name));
  return Object.assign(hidden, { [HIDDEN_PREFIX]: '', MALLOC_ARENA_MAX: '1' });
}

/** The environment of which something was hidden, by `hideFromNode` or the launcher; one without such a mark as it is. */
export function restoreHidden(environment: Readonly<Record<string, string>>): Record<string, string> {
  if (!(HIDDEN_PREFIX in environment)) return { ...environment };
  const { [HIDDEN_PREFIX]: _mark, ...rest } = environment;
  const ofTheCommand = Object.fromEntries(Object.entries(rest).filter(([name]) => !HIDDEN_VARIABLES.includes(name)));
  return renamed(ofTheCommand, (name) => (name.startsWith(HIDDEN_PREFIX) ? name.slice(HIDDEN_PREFIX.length) : name));
}

function renamed(environment: Readonly<Record<string, string>>, rename: (name: string) => string) {
  // No prototype: a variable may have any name.
  const made: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(environment)) made[rename(name)] = value;
  return made;
}
