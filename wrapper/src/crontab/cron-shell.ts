/** The shell that cron runs a crontab's commands with: its variable SHELL, /bin/sh if there is none. */

export const DEFAULT_SHELL = '/bin/sh';

export type ShellKind =
  /** Its built-in commands are known. */
  | 'posix'
  /** Quotes as sh does, but has many built-in commands of its own. */
  | 'posix_like'
  /** Only plain words mean the same as in sh. */
  | 'other_quoting'
  | 'unknown';

const KINDS: Readonly<Record<string, ShellKind>> = {
  sh: 'posix',
  dash: 'posix',
  ash: 'posix',
  bash: 'posix',
  zsh: 'posix_like',
  ksh: 'posix_like',
  ksh93: 'posix_like',
  mksh: 'posix_like',
  lksh: 'posix_like',
  yash: 'posix_like',
  csh: 'other_quoting',
  tcsh: 'other_quoting',
  fish: 'other_quoting',
};

export function kindOfShell(shell: string): ShellKind {
  const [, name = ''] = /^\/(?:.*\/)?([^/]+)$/.exec(shell) ?? [];
  return KINDS[name] ?? 'unknown';
}

/** Whether `&>` redirects both stdout and stderr: to others it is `&`, followed by `>`. */
export function hasAmpersandRedirection(shell: string): boolean {
  return /\/(bash|zsh)$/.test(shell);
}
