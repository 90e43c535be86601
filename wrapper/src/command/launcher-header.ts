/**
 * The first lines of the program as it is shipped, read by /bin/sh and by Node both.
 *
 * Node raises the soft limit of open files and resets every ignored signal before any of our code runs, so what the
 * command is to get back must be noted before Node starts. A shell does that, then becomes Node (same process). It
 * notes the environment too, because some shells drop variables whose names are not identifiers, and add their own. And
 * it notes which descriptors are open: Node closes the first of them, to 15 and as far as they follow without a gap, for
 * what it starts. (What has O_CLOEXEC, 02000000, is the shell's own: the script that it reads.)
 *
 * glibc gives each of Node's threads memory of its own, of which a tenth of all that we hold is never used again. That
 * can only be set before the program starts, and is where the command does not see it: where its environment was noted.
 * launch-state.ts reads what is noted here; scripts/build.ts puts this in front of the bundle.
 */

/** Longer than this would not fit into one environment variable; an environment of some 40 KB. */
const MAX_RECORD_CHARS = 120_000;

/*
 * To JavaScript the script is a comment behind a string. To the shell the first line is a command that does nothing,
 * and it is gone (exec) before it would reach the end of that comment. So the script must not contain the two characters
 * that end a comment.
 */
export const LAUNCHER_HEADER = `#!/bin/sh
":" /*
leash_fds=
leash_fd=3
while [ "$leash_fd" -le 15 ] || [ -e "/proc/$$/fd/$leash_fd" ]; do
  if [ -e "/proc/$$/fd/$leash_fd" ]; then
    { read -r leash_key leash_flags; read -r leash_key leash_flags; } 2>/dev/null <"/proc/$$/fdinfo/$leash_fd"
    case $leash_flags in *[2367]??????) ;; *) leash_fds="$leash_fds$leash_fd," ;; esac
  fi
  leash_fd=$((leash_fd + 1))
done
LEASH_LAUNCH="pid=$$ fds=$leash_fds $(
  exec 2>/dev/null
  printf nofile=
  ulimit -Sn
  while read -r key value; do
    case $key in SigIgn:) echo "sigign=$value"; break ;; esac
  done <"/proc/$$/status"
  echo environ=
  exec od -An -v -tx1 "/proc/$$/environ"
)"
if [ "\${#LEASH_LAUNCH}" -gt ${MAX_RECORD_CHARS} ]; then LEASH_LAUNCH="\${LEASH_LAUNCH%%environ=*}"; fi
case $LEASH_LAUNCH in *environ=*[0-9a-f]) export "MALLOC_ARENA_MAX=\${MALLOC_ARENA_MAX:-1}" ;; esac
export LEASH_LAUNCH
for leash_node in node nodejs /usr/local/bin/node /usr/bin/node /opt/node/bin/node /opt/homebrew/bin/node /snap/bin/node; do
  if command -v "$leash_node" >/dev/null 2>&1; then exec "$leash_node" "$0" "$@"; fi
done
echo "leash: Node.js was not found on PATH ($PATH), nor in /usr/local/bin or /opt: install Node.js 18 or later, or add its directory to PATH where leash is started" >&2
exit 255
*/`;
