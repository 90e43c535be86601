# The first lines of the shipped program (launcher-header.ts inserts them, without these comments). To JavaScript they
# are a comment, so they must not contain the two characters that end one. They are one compound command: a shell reads
# all of it before it runs any of it, so a program truncated within it is a syntax error.
#
# What prevents Node from running leash must not prevent the command from running. The checks cost a usual start no
# process, and one small file at most.
#
# 2>&- instead of 2>/dev/null: the command must run without /dev/null, too.

leash_size=@SIZE@

# Variables that configure Node, V8, libuv, OpenSSL, ICU and glibc's memory are meant for the command, not for leash.
leash_hidden='@HIDDEN@'

# ---- Without Node: becomes the command itself, or refuses. Avoids forks: forking may be what fails.

# Prints a line. Parts of it may be untrusted, so only printable ASCII is shown.
leash_say() {
  leash_rest="leash: $1" leash_line=
  while :; do
    leash_line=$leash_line${leash_rest%%[!\ -~]*}
    case $leash_rest in *[!\ -~]*) ;; *) break ;; esac
    leash_rest=${leash_rest#"${leash_rest%%[!\ -~]*}"}
    leash_rest=${leash_rest#?} leash_line="$leash_line?"
  done
  printf '%s\n' "$leash_line" >&2
}

leash_refuse() {
  leash_say "$leash_why; $1: $leash_remedy"
  exit "${2:-255}"
}

leash_without() {
  trap - EXIT
  if [ "$leash_stack" ]; then ulimit -Ss "$leash_stack" 2>&-; fi
  unset LEASH_LAUNCH
  unset LEASH_HIDDEN_
  for leash_name in $leash_hidden; do
    eval "if [ \"\${LEASH_HIDDEN_$leash_name+x}\" ]; then export \"$leash_name=\$LEASH_HIDDEN_$leash_name\"; unset LEASH_HIDDEN_$leash_name; fi"
  done
  if [ "$leash_arenas" ] && [ -z "${leash_has_arenas-}" ]; then unset MALLOC_ARENA_MAX; fi
  if [ "${1-}" != run ]; then leash_refuse 'nothing was done'; fi
  shift

  leash_policy='' leash_cwd='' leash_user='' leash_shell='' leash_merge='' leash_quiet='' leash_detach=''
  leash_unreachable='' leash_skip=75
  leash_cron='' leash_help='' leash_found='' leash_lacks='' leash_added='' leash_count=0
  while [ $# -gt 0 ]; do
    leash_option=$1 leash_value=''
    case $1 in
      --cwd | --user | --env | --without-wrapper | --timeout | --idle-timeout | --max-offline \
        | --max-memory | --max-cpu | --overlap | --if-unreachable | --skip-exit-code)
        if [ $# -gt 1 ] && [ "$2" != -- ]; then leash_value=$2; shift; fi ;;
      --*=*) leash_option=${1%%=*} leash_value=${1#*=} ;;
    esac
    case $leash_option in
      --) leash_found=yes; shift; break ;;
      --cwd) leash_cwd=$leash_value ;;
      --user) leash_user=":$leash_value" ;;
      --env)
        leash_count=$((leash_count + 1))
        eval "leash_added_$leash_count=\$leash_value"
        leash_added="$leash_added \"\$leash_added_$leash_count\"" ;;
      --without-wrapper) leash_policy=$leash_value ;;
      --timeout | --idle-timeout | --max-offline | --max-memory | --max-cpu)
        case $leash_value in 0 | 0[a-z]*) ;; *) leash_lacks="$leash_lacks $leash_option" ;; esac ;;
      --ask) leash_lacks="$leash_lacks --ask" ;;
      --overlap) if [ "$leash_value" != allow ]; then leash_lacks="$leash_lacks --overlap"; fi ;;
      --if-unreachable) leash_unreachable=$leash_value ;;
      --skip-exit-code) case $leash_value in '' | *[!0-9]*) ;; *) leash_skip=$leash_value ;; esac ;;
      --shell) leash_shell=yes ;;
      --cron) leash_cron=yes ;;
      --merge) leash_merge=yes ;;
      --quiet) leash_quiet=yes ;;
      --detach) leash_detach=yes ;;
      --help) leash_help=yes ;;
      -[!-]*)
        case $1 in *q*) leash_quiet=yes ;; esac
        case $1 in *h*) leash_help=yes ;; esac ;;
    esac
    shift
  done
  if [ "$leash_help" ] || [ -z "$leash_found" ] || [ -z "${1-}" ]; then leash_refuse 'nothing was started'; fi
  if [ "$leash_shell" ]; then
    if [ $# -gt 1 ]; then leash_refuse 'nothing was started (--shell takes one argument)'; fi
    leash_line=/bin/sh
    if [ "$leash_cron" ]; then leash_line=${SHELL:-/bin/sh}; fi
    set -- "$leash_line" -c "$1"
  fi
  # A command that must not run without its control plane doesn't run without its wrapper, unless requested explicitly.
  case $leash_policy,$leash_unreachable,$leash_lacks in
    refuse,* | ,*,*--max-offline*) leash_refuse 'nothing was started' ;;
    # Nor does one that must not run unasked: nothing can ask.
    ,skip,*) leash_refuse 'nothing was started' "$leash_skip" ;;
  esac

  if [ "$leash_user" ]; then
    leash_user=${leash_user#:}
    leash_become_user
    set -- setpriv "--reuid=$leash_uid" "--regid=$leash_gid" --init-groups -- "$@"
  fi
  if [ "$leash_cwd" ]; then
    case $leash_cwd in /*) ;; *) leash_cwd=./$leash_cwd ;; esac
    CDPATH='' cd -- "$leash_cwd" 2>&- || leash_refuse "nothing was started (cannot enter the working directory $leash_cwd)"
  fi
  leash_say "$leash_why: the command runs unsupervised and can't be seen or stopped${leash_lacks:+, and these options do not apply ($(echo $leash_lacks))}; $leash_remedy"

  if [ "$leash_detach" ]; then leash_detach "$@"; fi
  if [ "$leash_quiet" ]; then exec >/dev/null 2>&1; fi
  if [ "$leash_merge" ]; then exec 2>&1; fi
  leash_become_command "$@"
}

# As --user does with Node. Without the switch to that user nothing runs: least of all as root.
leash_become_user() {
  leash_entry=
  case $leash_user in
    '' | *:*) ;;
    *)
      if leash_entry=$(getent passwd -- "$leash_user" 2>&-); then :; elif [ $? -ge 126 ]; then
        while read -r leash_line; do
          case $leash_line in "$leash_user":* | [!:]*:*:"$leash_user":*) leash_entry=$leash_line; break ;; esac
        done </etc/passwd
      fi ;;
  esac
  leash_line=$leash_entry:
  leash_account=${leash_line%%:*} leash_line=${leash_line#*:}
  leash_line=${leash_line#*:}
  leash_uid=${leash_line%%:*} leash_line=${leash_line#*:}
  leash_gid=${leash_line%%:*} leash_line=${leash_line#*:}
  leash_line=${leash_line#*:}
  leash_home=${leash_line%%:*} leash_line=${leash_line#*:}
  leash_login=${leash_line%%:*}
  case $leash_uid,$leash_gid in
    *[!0-9,]* | ,* | *,) leash_refuse "nothing was started (unknown user $leash_user)" ;;
  esac
  leash_line=$(command -v setpriv)
  if [ -z "$leash_line" ]; then leash_refuse 'nothing was started (--user needs setpriv, which was not found)'; fi
  if ! setpriv "--reuid=$leash_uid" "--regid=$leash_gid" --init-groups -- true 2>&-; then
    leash_refuse "nothing was started (could not become user $leash_user)"
  fi
  leash_added="\"HOME=\${leash_home:-/}\" \"USER=\$leash_account\" \"LOGNAME=\$leash_account\" \"SHELL=\${leash_login:-/bin/sh}\" $leash_added"
}

# In a session of its own, without the caller's open descriptors. There is no run id to print.
leash_detach() {
  for leash_fd in 3 4 5 6 7 8 9; do eval "exec $leash_fd>&-"; done
  exec </dev/null >/dev/null 2>&1
  if setsid -f true; then leash_become_command setsid -f "$@"; fi
  (trap '' HUP; leash_become_command "$@") &
  exit 0
}

# With the original environment: shells drop variables whose names are not identifiers, and add their own.
leash_become_command() {
  unset LEASH_TOKEN LEASH_TOKEN_FILE
  leash_kept=
  if [ "$leash_forks" ]; then
    leash_kept=$(
      export LC_ALL=C
      tr '\n\000' '\001\n' <"/proc/$$/environ" | sed -n "
        /^LEASH_TOKEN=/d; /^LEASH_TOKEN_FILE=/d; /^=/d; /=/!d
        /^BASH[^=]*=/bkeep
        /^PS[0-9]=/bkeep
        /^E*UID=/bkeep
        /^S*RANDOM=/bkeep
        /^leash_/bkeep
        /^OPT[A-Z]*=/bkeep
        /^[A-Z]*SECONDS=/bkeep
        /^[A-Z]*PWD=/bkeep
@TOUCHED@
        /^[A-Za-z_][A-Za-z0-9_]*=/d
        :keep
        s/'/'\\\\''/g; s|.*|'&'|p" | tr '\n\001' ' \n'
    ) 2>&-
  fi
  for leash_name in ${leash_forks:+PWD OLDPWD SHLVL _}; do
    case " $leash_kept" in *" '$leash_name="*) ;; *) leash_kept="-u $leash_name $leash_kept" ;; esac
  done
  # env would treat such a command name as a variable.
  case $1 in *=*) set -- /bin/sh -c 'exec "$@"' sh "$@" ;; esac
  leash_env=env
  if [ -x /usr/bin/env ]; then leash_env=/usr/bin/env; fi
  eval "exec $leash_env $leash_kept $leash_added \"\$@\""
  exit 126
}

# ---- Finds a Node that runs leash.

# Whether this Node, unchanged, is known to have run this program: a note with its modification time says so.
leash_is_known() {
  leash_inode=
  { { while read -r leash_key leash_flags; do
        if [ "$leash_key" = ino: ]; then leash_inode=$leash_flags; fi
      done <"/proc/$$/fdinfo/9"; } 9<"$1"; } 2>&-
  leash_identity="$1 $leash_inode $leash_size"
  leash_seen=
  if [ "$leash_note" ] && [ -O "$leash_note" ]; then read -r leash_seen <"$leash_note"; fi
  [ "$leash_seen" = "$leash_identity" ] && ! [ "$leash_note" -nt "$1" ] && ! [ "$leash_note" -ot "$1" ]
}

# Tries a Node. Where memory is limited, with less of it: a run needs more than a try.
leash_try() {
  # A shell reports on its own stderr that a child was ended by a signal.
  { leash_said=$(
    exec 2>&1
    ulimit -Sc 0
    unset $leash_hidden
    case $leash_memory in *[!0-9]* | '') ;; *) ulimit -Sv $((leash_memory - leash_memory / 8)) ;; esac
    exec "$1" "$0" --version
  ); } 2>&-
  leash_status=$?
  case $leash_status,$leash_said in 0,'leash '*) return 0 ;; esac
  if [ "$leash_why" ]; then return 1; fi
  { leash_version=$(unset $leash_hidden; exec "$1" --version 2>&1); } 2>&-
  case $leash_version in
    v[0-9].* | v1[0-7].*)
      leash_why="$1 is Node.js $leash_version, and leash needs 18 or later"
      leash_remedy='install a newer Node.js, or put its directory first on PATH where leash is started' ;;
    *)
      leash_line=${leash_said%%'
'*}
      leash_why="Node.js ($1) does not start here: ${leash_line:-exit status $leash_status}"
      leash_remedy="check \`$1 --version\` and the limits (ulimit -a)" ;;
  esac
  return 1
}

leash_remember() {
  if [ "$leash_limited" ]; then return; fi
  if [ -z "$leash_note" ]; then
    case ${leash_own#/dev/shm/} in *[/]*) return ;; esac
    mkdir -m 700 "$leash_own" 2>&- || return
    leash_note=$leash_own/leash-node
  fi
  # Moved into place when complete. Without the note the next start only takes longer.
  { printf '%s\n' "$leash_identity" >"$leash_note.$$" && touch -r "$1" "$leash_note.$$" && mv -f "$leash_note.$$" "$leash_note"; } 2>&-
}

# Sets leash_node, to an empty string if none is found.
leash_find_node() {
  leash_node='' leash_note='' leash_tried=:
  # In memory, where no disk can hang, in a directory that only this user can write to; /run is root's.
  leash_own=/dev/shm/leash-${LOGNAME:-${USER:-user}}
  for leash_dir in "${XDG_RUNTIME_DIR-}" /run "$leash_own"; do
    if [ "$leash_dir" ] && [ -d "$leash_dir" ] && [ -O "$leash_dir" ] && [ -w "$leash_dir" ] && ! [ -h "$leash_dir" ]; then
      leash_note=$leash_dir/leash-node
      break
    fi
  done
  for leash_name in node nodejs; do
    # The last one is a link that install.sh makes to a Node that is elsewhere, such as that of nvm.
    leash_rest=$PATH:/usr/local/bin:/usr/bin:/opt/node/bin:/opt/homebrew/bin:/snap/bin:${0%/*}/../lib/leash:
    while [ "$leash_rest" ]; do
      leash_dir=${leash_rest%%:*}
      leash_candidate=$leash_dir/$leash_name
      leash_rest=${leash_rest#*:}
      case $leash_tried in *":$leash_candidate:"*) continue ;; esac
      if [ -z "$leash_dir" ] || ! [ -f "$leash_candidate" ] || ! [ -x "$leash_candidate" ]; then continue; fi
      leash_tried=$leash_tried$leash_candidate:
      if leash_is_known "$leash_candidate" && [ -z "$leash_limited" ]; then
        leash_node=$leash_candidate
        return
      fi
      if leash_try "$leash_candidate"; then
        leash_remember "$leash_candidate"
        leash_node=$leash_candidate
        return
      fi
    done
  done
  if [ "$leash_why" ]; then return; fi
  leash_why="Node.js was not found on PATH ($PATH), nor in /usr/local/bin or /opt"
  leash_remedy='install Node.js 18 or later, or add its directory to PATH where leash is started'
}

# ---- Notes what Node would change.

# Raises the stack limit to the kernel's maximum for arguments and environment; the command gets the old limit back.
leash_make_room() {
  leash_stack=$(ulimit -Ss)
  case $leash_stack in
    *[!0-9]* | '') leash_stack='' ;;
    *)
      if [ "$leash_stack" -ge 24576 ]; then leash_stack=''
      elif ! ulimit -Ss 24576 2>&-; then ulimit -Ss "$(ulimit -Hs)" 2>&-; leash_is_cramped=yes
      fi ;;
  esac
}

leash_stack='' leash_arenas='' leash_forks='' leash_is_cramped='' leash_limited='' leash_memory=''
leash_why='no process could be started' leash_remedy='check how many are running and the limits (ulimit -a)'
# A shell that can't fork or exec Node exits: dash and busybox run this trap then; other shells would run it after a
# signal, too. bash with execfail continues after a failed exec.
case ${BASH_VERSION+bash}${KSH_VERSION+ksh}${ZSH_VERSION+zsh}${YASH_VERSION+yash} in
  bash) shopt -s execfail ;;
  '') trap 'leash_without "$@"' EXIT ;;
esac

leash_fds=
leash_fd=3
while [ "$leash_fd" -le 15 ] || [ -e "/proc/$$/fd/$leash_fd" ]; do
  if [ -e "/proc/$$/fd/$leash_fd" ]; then
    { read -r leash_key leash_flags; read -r leash_key leash_flags; } 2>&- <"/proc/$$/fdinfo/$leash_fd"
    case $leash_flags in *[2367]??????) ;; *) leash_fds="$leash_fds$leash_fd," ;; esac
  fi
  leash_fd=$((leash_fd + 1))
done

leash_line="$*"
if [ $((${#leash_line} + 9 * $#)) -gt 65536 ]; then leash_make_room; fi

LEASH_LAUNCH="pid=$$ fds=$leash_fds $(
  exec 2>&-
  printf nofile=
  ulimit -Sn
  printf hard=
  ulimit -Hn
  printf memory=
  ulimit -Sv
  printf data=
  ulimit -Sd
  printf processes=
  ulimit -Su || ulimit -Sp
  while read -r key value; do
    case $key in SigIgn:) echo "sigign=$value"; break ;; esac
  done <"/proc/$$/status"
  echo environ=
  exec od -An -v -tx1 -j "$leash_size" "$0" "/proc/$$/environ"
)"
leash_status=$?
leash_forks=yes
leash_why=

leash_line=${LEASH_LAUNCH#*environ=?}
case ${leash_line%%'
'*} in
  @MARKER@)
    LEASH_LAUNCH=${LEASH_LAUNCH%%environ=*}
    case $leash_line in *'
'*) LEASH_LAUNCH="${LEASH_LAUNCH}environ=${leash_line#*'
'}" ;; esac ;;
  *)
    LEASH_LAUNCH=${LEASH_LAUNCH%%environ=*}
    # Without od this can't be checked.
    if [ "$leash_status" -lt 126 ]; then
      leash_why="the program $0 is incomplete, probably because the disk was full when it was installed"
      leash_remedy='install it again'
    fi ;;
esac
if [ "$leash_why" ]; then leash_without "$@"; fi

leash_line=${LEASH_LAUNCH#*memory=}
leash_memory=${leash_line%%[!0-9a-z]*}
case $leash_memory in *[!0-9]* | '') ;; *) leash_limited=yes ;; esac
leash_line=${LEASH_LAUNCH#*data=}
leash_line=${leash_line%%[!0-9a-z]*}
case $leash_line in *[!0-9]* | '') ;; *) leash_limited=yes ;; esac
leash_line=${LEASH_LAUNCH#*processes=}
leash_line=${leash_line%%[!0-9a-z]*}
case $leash_line in *[!0-9]* | '' | ????*) ;; *) leash_limited=yes ;; esac
leash_line=${LEASH_LAUNCH#*hard=}
leash_line=${leash_line%%[!0-9a-z]*}
case $leash_line in *[!0-9]* | '' | ????*) ;; *)
  if [ "$leash_line" -lt @FILES@ ]; then
    leash_why="only $leash_line open files are allowed (ulimit -n), and leash needs @FILES@"
    leash_remedy='raise the limit'
    leash_without "$@"
  fi ;;
esac

leash_find_node
if [ -z "$leash_node" ]; then leash_without "$@"; fi

if [ "${#LEASH_LAUNCH}" -gt @MAX_RECORD@ ]; then
  leash_is_cramped=yes
  if [ -z "$leash_stack" ]; then leash_make_room; fi
fi
if [ "$leash_is_cramped" ]; then LEASH_LAUNCH=${LEASH_LAUNCH%%environ=*}; fi
if [ "$leash_stack" ]; then LEASH_LAUNCH="${LEASH_LAUNCH%%sigign=*}stack=$leash_stack
sigign=${LEASH_LAUNCH#*sigign=}"; fi
leash_has_arenas=${MALLOC_ARENA_MAX+x}
for leash_name in $leash_hidden; do
  eval "if [ \"\${$leash_name+x}\" ]; then export \"LEASH_HIDDEN_$leash_name=\$$leash_name\"; unset $leash_name; fi"
done
leash_arenas=yes
export LEASH_LAUNCH LEASH_HIDDEN_= MALLOC_ARENA_MAX=1
leash_why="Node.js ($leash_node) could not be started" leash_remedy="check \`$leash_node --version\`"
exec "$leash_node" "$0" "$@"
leash_without "$@"
