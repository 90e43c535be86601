#!/bin/sh
# Installs or upgrades leash on this machine, for root or for the user who calls it. A control plane serves this script
# with its own address filled in:
#
#   curl -fsSL https://leash.example.com/install.sh | sh -s -- --token-stdin
#
# It needs curl or wget, and Node.js 18 or later. It connects to nothing but the control plane. Nothing is put in place
# before the downloaded program has been verified and has run a test job with the settings and the token.
#
# All of it is functions until the last line, so a download that was cut off runs nothing.

origin='@ORIGIN@'

usage() {
  cat <<'EOF'
Installs or upgrades leash on this machine: for all users when called by root, else for the user who calls it.

Usage: curl -fsSL URL/install.sh | sh -s -- [options]
       sh install.sh [options]

Token (one with the scope `run`). Default: $LEASH_TOKEN, else the one that is installed, else the terminal is asked:
  --token-stdin       read it from stdin. In `curl ... | sh -s -- --token-stdin` stdin is this script: what follows the
                      script is the token, and if nothing does, the terminal is asked
  --token-file FILE   read it from FILE
  --no-token          install without one, e.g. in an image that gets its token later

Options:
  --url URL           the control plane; default: the one that served this script
  --dir DIR           where the program goes; default /usr/local/bin, or ~/.local/bin
  --machine NAME      the machine's name in Leash; default: its full host name
  --ca-file FILE      additional certificates (PEM) to trust
  --test-job NAME     the name of the test job; default: leash-test, or a name that the token is for
  --no-test           install without running a test job
  --dry-run           say what would be done; change nothing and ask for no token
  -h, --help          print this text

Proxies of the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY) are used, and go into the settings. Other
settings that are there are kept.

Exit code: 0 installed, 1 not installed, 2 an argument is invalid
EOF
}

say() { printf '%s\n' "$*"; }

fail() {
  printf 'leash: not installed: %s\n' "$1" >&2
  shift
  for hint; do printf '  %s\n' "$hint" >&2; done
  exit 1
}

invalid() {
  printf 'leash: %s (see --help)\n' "$1" >&2
  exit 2
}

has() { command -v "$1" >/dev/null 2>&1; }

main() {
  umask 077
  unset CDPATH GREP_OPTIONS
  read_arguments "$@"
  find_url
  find_places
  find_downloader
  find_node
  check_places
  if [ "$dry_run" ]; then
    describe_plan
    exit 0
  fi
  find_token
  make_stage
  download_program
  write_settings
  test_settings
  put_in_place
  say_what_next
}

# ---- What is asked for

read_arguments() {
  url='' dir='' machine='' ca_file='' token_file='' token_from='' test_job='' no_test='' dry_run=''
  while [ $# -gt 0 ]; do
    value='' width=1
    case $1 in
      --url=* | --dir=* | --machine=* | --ca-file=* | --token-file=* | --test-job=*) value=${1#*=} ;;
      --url | --dir | --machine | --ca-file | --token-file | --test-job)
        if [ $# -lt 2 ]; then invalid "$1 needs a value"; fi
        value=$2 width=2 ;;
    esac
    case $1 in
      --url | --url=*) url=$value ;;
      --dir | --dir=*) dir=$value ;;
      --machine | --machine=*) machine=$value ;;
      --ca-file | --ca-file=*) ca_file=$value ;;
      --test-job | --test-job=*) test_job=$value ;;
      --token-file | --token-file=*) choose_token_from file; token_file=$value ;;
      --token-stdin) choose_token_from stdin ;;
      --no-token) choose_token_from nowhere ;;
      --no-test) no_test=yes ;;
      --dry-run) dry_run=yes ;;
      -h | --help) usage; exit 0 ;;
      # What follows an argument that is not known may be a token, and is not repeated.
      *) invalid "unknown argument: ${1%%=*}" ;;
    esac
    if [ "$width" = 2 ] || [ "${1#*=}" != "$1" ]; then
      if [ -z "$value" ]; then invalid "${1%%=*} needs a value"; fi
    fi
    shift "$width"
  done
  # Here stdin may be the script.
  case $token_file in - | /dev/stdin | /dev/fd/0) token_from=stdin token_file='' ;; esac
  case $machine$ca_file$dir in *'
'*) invalid 'a value has more than one line' ;; esac
  for each in "$ca_file" "$token_file"; do
    if [ "$each" ] && ! [ -r "$each" ]; then fail "cannot read $each"; fi
  done
}

choose_token_from() {
  if [ "$token_from" ]; then invalid '--token-stdin, --token-file and --no-token are mutually exclusive'; fi
  token_from=$1
}

find_url() {
  case $origin in http*) if [ -z "$url" ]; then url=$origin; fi ;; esac
  while [ "$url" != "${url%/}" ]; do url=${url%/}; done
  case $url in
    '') invalid 'which control plane? Give --url https://...' ;;
    *[!A-Za-z0-9.:/_~%-]*) case $url in *'['*']'*) ;; *) invalid "not a URL: $url" ;; esac ;;
  esac
  case $url in
    https://?*) ;;
    http://localhost | http://localhost[:/]* | http://127.* | 'http://[::1]'*) ;;
    http://?*) printf 'leash: warning: the token and all output will be sent unencrypted to %s; use https\n' "$url" >&2 ;;
    *) invalid "--url must begin with https:// (or http://): $url" ;;
  esac
}

find_places() {
  uid=$(id -u) || fail 'cannot determine who calls this (id -u failed)'
  if [ "$uid" = 0 ]; then
    who='all users' dir=${dir:-/usr/local/bin}
    conf=/etc/leash.conf token_place=/etc/leash.token conf_mode=644
  else
    case ${HOME-} in /*) ;; *) fail 'HOME is not set: it is where leash is installed for one user' ;; esac
    # The directory that leash looks in: cron sets no XDG_CONFIG_HOME.
    who="the user $(id -un 2>/dev/null || echo "$uid")" dir=${dir:-$HOME/.local/bin}
    conf=$HOME/.config/leash/leash.conf token_place=$HOME/.config/leash/token conf_mode=600
  fi
  case $dir in /*) ;; *) dir=$(pwd)/$dir ;; esac
  while [ "$dir" != "${dir%/}" ]; do dir=${dir%/}; done
  program=$dir/leash
  # Where the launcher of leash looks for a Node.js that cron doesn't find.
  node_link=${dir%/*}/lib/leash/node
}

# Another user who could replace the program, the settings or the token would decide what runs, or who sees its output.
check_places() {
  for each in "$dir" "${conf%/*}" ${node_linked:+"${node_link%/*}"}; do
    if ! is_ours "$each"; then fail "$why" ${remedy:+"$remedy"}; fi
  done
  if [ -d "$program" ]; then fail "$program is a directory"; fi
  if [ -e "$program" ] && ! grep -q 'leash_' "$program" 2>/dev/null; then
    fail "$program is there, and is not leash" 'Move it away, or install elsewhere with --dir.'
  fi
}

# Whether only root or this user can replace what is in a directory, or the directory. Else it sets why and remedy.
is_ours() {
  at=$1
  while [ "$at" ]; do
    if [ -e "$at" ]; then
      why='' remedy=''
      # shellcheck disable=SC2046 # split into its columns
      set -- $(ls -ldnL "$at")
      if ! [ -d "$at" ]; then
        why="$at is not a directory"
      elif [ "$3" != 0 ] && [ "$3" != "$uid" ]; then
        why="$at belongs to another user (uid $3), who could replace what is installed there"
      else
        case $1 in
          ?????????[tT]*) ;;
          ????????w*)
            why="other users can write to $at, and so replace what is installed there" remedy="Run: chmod o-w $at" ;;
          ?????w*)
            # A private group, as Debian and Fedora give each user.
            if [ "$uid" = 0 ] || [ "$4" != "$uid" ]; then
              why="a group (gid $4) can write to $at, and so replace what is installed there" remedy="Run: chmod g-w $at"
            fi ;;
        esac
      fi
      if [ "$why" ]; then return 1; fi
    fi
    at=${at%/*}
  done
}

# ---- What is there

find_downloader() {
  if has curl; then
    downloader=curl
  elif has wget; then
    downloader=wget
  else
    fail 'neither curl nor wget was found' 'Install one of them, or copy leash.cjs by hand: see docs/install.md of Leash.'
  fi
}

# Sets node. node_linked: it is where cron and leash would not find it, so leash gets a link to it.
find_node() {
  node='' node_version='' node_linked='' old_node='' broken_node=''
  # As the launcher does it in a cron job.
  for each in /usr/bin /bin /usr/local/bin /opt/node/bin /opt/homebrew/bin /snap/bin; do
    for name in node nodejs; do
      if try_node "$each/$name"; then return; fi
    done
  done
  # The last one counts: v22 is after v18.
  for each in /opt/*/bin "$HOME"/.asdf/installs/nodejs/*/bin "$HOME"/.nodenv/versions/*/bin \
    "$HOME"/.local/share/mise/installs/node/*/bin "$HOME"/.local/share/fnm/node-versions/*/installation/bin \
    "$HOME"/.volta/tools/image/node/*/bin "$HOME"/n/bin "$HOME"/.nvm/versions/node/*/bin; do
    if is_own "$each/node"; then try_node "$each/node"; fi
  done
  found_on_path=$(command -v node) || found_on_path=''
  case $found_on_path in /*) if is_own "$found_on_path"; then try_node "$found_on_path"; fi ;; esac
  if [ "$node" ]; then
    node_linked=yes
    return
  fi
  say_no_node
}

# Whether only root or this user can replace it: root must not run the Node.js of another user. A link may be changed
# to lead to another one, so its directory counts as well.
is_own() {
  [ -x "$1" ] && is_ours "${1%/*}" || return 1
  # shellcheck disable=SC2046 # split into its columns
  set -- $(ls -ldnL "$1")
  [ "$3" = 0 ] || [ "$3" = "$uid" ]
}

try_node() {
  if ! [ -f "$1" ] || ! [ -x "$1" ]; then return 1; fi
  found=$("$1" --version 2>/dev/null </dev/null) || found=''
  case $found in
    v[0-9].* | v1[0-7].*) old_node="$1 is $found"; return 1 ;;
    v[1-9][0-9]*.*) node=$1 node_version=$found; return 0 ;;
    *) broken_node="$1 does not start"; return 1 ;;
  esac
}

say_no_node() {
  why='leash needs Node.js 18 or later, and none was found'
  if [ "$old_node" ]; then
    why="leash needs Node.js 18 or later, and $old_node"
  elif [ "$broken_node" ]; then
    why="leash needs Node.js 18 or later, and $broken_node"
  fi
  fail "$why" "$(node_hint)" \
    'Or build the executable of Leash that contains Node.js, and copy it here: see docs/install.md of Leash.'
}

node_hint() {
  ID='' ID_LIKE='' VERSION_ID='' PRETTY_NAME=''
  for each in /etc/os-release /usr/lib/os-release; do
    if [ -r "$each" ]; then
      # shellcheck disable=SC1090 # the system's own
      . "$each"
      break
    fi
  done
  sudo=''
  if [ "$uid" != 0 ]; then sudo='sudo '; fi
  case " $ID $ID_LIKE " in
    *' alpine '*) how='apk add nodejs' ;;
    *' arch '*) how='pacman -S nodejs' ;;
    *' amzn '*) how='dnf install nodejs20' ;;
    *' suse '* | *' opensuse '*) how='zypper install nodejs20' ;;
    *' rhel '* | *' centos '*)
      case $VERSION_ID in 8* | 9*) how='dnf module install nodejs:20' ;; *) how='dnf install nodejs' ;; esac ;;
    *' fedora '*) how='dnf install nodejs' ;;
    *' ubuntu '*)
      case $VERSION_ID in
        1?.* | 20.* | 22.*) how='snap install node --classic' ;;
        *) how='apt-get install nodejs' ;;
      esac ;;
    *' debian '*)
      case $VERSION_ID in
        ? | 10 | 11)
          say "Its packages of Node.js are too old: unpack one from https://nodejs.org/en/download to /opt/node."
          return ;;
        *) how='apt-get install nodejs' ;;
      esac ;;
    *)
      if [ "$(uname -s)" = Darwin ]; then
        how='brew install node' sudo=''
      else
        say 'Install it from https://nodejs.org/en/download, e.g. to /opt/node.'
        return
      fi ;;
  esac
  say "Install it${PRETTY_NAME:+ ($PRETTY_NAME)}: $sudo$how"
}

describe_plan() {
  say "This would install leash for $who, from $url:"
  say "  Node.js    $node_version ($node)${node_linked:+, linked as $node_link}"
  say "  download   $url/leash.cjs with $downloader, checked against $url/leash.cjs.sha256"
  say "  program    $program$(is_there "$program")"
  say "  settings   $conf$(is_there "$conf"): LEASH_URL=$url${machine:+, LEASH_MACHINE=$machine}"
  if [ "$token_from" = nowhere ]; then
    say '  token      none'
  else
    say "  token      $token_place$(is_there "$token_place"), only for its owner to read"
  fi
  if [ -z "$no_test" ] && [ "$token_from" != nowhere ]; then say '  self-test  a run of `true`, before anything is replaced'; fi
  say 'Nothing was changed.'
}

is_there() {
  if [ -e "$1" ]; then printf ' (it is there, and will be updated)'; fi
}

# ---- The token

# It never is an argument of a process, where `ps` would show it. fd 3 is the stdin that the script was started with; stdin
# itself is what followed the script, where the script came on stdin.
find_token() {
  token='' keeps_token=''
  case $token_from in
    nowhere) return ;;
    file) token=$(cat "$token_file") || fail "cannot read $token_file" ;;
    stdin)
      token=$(cat)
      if [ -z "$token" ] && ! [ -t 3 ]; then token=$(cat <&3 2>/dev/null); fi
      if [ -z "$token" ]; then ask_for_token; fi
      if [ -z "$token" ]; then
        fail 'no token came on stdin' \
          'In `curl ... | sh -s -- --token-stdin` stdin is the script itself, so the token is asked for on the terminal,' \
          'and there is none. Without a terminal:' \
          "  { curl -fsSL $url/install.sh; cat FILE; } | sh -s -- --token-stdin"
      fi ;;
    *)
      token=${LEASH_TOKEN-}
      if [ -z "$token" ] && has_own_token; then
        keeps_token=yes
        return
      fi
      if [ -z "$token" ]; then ask_for_token; fi
      if [ -z "$token" ]; then
        fail 'no token was given' \
          'Create one with the scope `run` on the dashboard (Tokens, Add a machine), then call this in a terminal, or' \
          'give the token with --token-file FILE, with --token-stdin, or in LEASH_TOKEN.'
      fi ;;
  esac
  # A file often ends with a line break, and some with more than one.
  token=$(printf '%s\n' "$token" | tr -d '\r' | sed 's/^[[:space:]]*//; s/[[:space:]]*$//; /^$/d')
  case $token in
    '') fail 'the token is empty' ;;
    *[!!-~]*) fail 'this is not a token: it has spaces, line breaks or other characters that no token has' ;;
  esac
}

has_own_token() { [ -s "$token_place" ] || has_token_setting; }

has_token_setting() { [ -r "$conf" ] && grep -Eq '^[[:space:]]*LEASH_TOKEN(_FILE)?[[:space:]]*=' "$conf"; }

ask_for_token() {
  if ! (: </dev/tty) 2>/dev/null; then return; fi
  saved_tty=$(stty -g </dev/tty 2>/dev/null) || saved_tty=''
  trap 'stty "$saved_tty" </dev/tty; printf "\n" >/dev/tty; exit 1' HUP INT TERM
  stty -echo </dev/tty 2>/dev/null
  # Only now: a token that is pasted at once must not be shown either.
  printf 'Token for %s (scope run; it is not shown): ' "$url" >/dev/tty
  IFS= read -r token </dev/tty
  if [ "$saved_tty" ]; then stty "$saved_tty" </dev/tty; fi
  trap - HUP INT TERM
  printf '\n' >/dev/tty
}

# ---- The program

make_stage() {
  stage=$(mktemp -d "${TMPDIR:-/tmp}/leash-install.XXXXXX") || fail 'cannot create a temporary directory'
  trap 'rm -rf "$stage"' EXIT
  trap 'exit 1' HUP INT TERM
  mkdir "$stage/bin" "$stage/lib" "$stage/lib/leash" || fail "cannot write to $stage"
  if [ "$node_linked" ]; then ln -s "$node" "$stage/lib/leash/node"; fi
  # For leash, and not for what this script calls.
  unset LEASH_TOKEN LEASH_TOKEN_FILE LEASH_URL LEASH_CONFIG LEASH_STATE_DIR LEASH_LOG LEASH_MACHINE LEASH_CA_FILE
}

download_program() {
  download "$url/leash.cjs.sha256" "$stage/digest"
  read -r wanted rest <"$stage/digest"
  case $wanted in
    *[!0-9a-f]*) wanted='' ;;
    ????????????????????????????????????????????????????????????????) ;;
    *) wanted='' ;;
  esac
  if [ -z "$wanted" ]; then
    fail "$url does not look like a Leash control plane: its /leash.cjs.sha256 is not a digest" 'Check the address.'
  fi
  download "$url/leash.cjs" "$stage/bin/leash"
  digest=$(digest_of "$stage/bin/leash")
  if [ "$digest" != "$wanted" ]; then
    fail "the downloaded program is damaged, or not the one that $url announces" \
      "SHA-256 is $digest, and should be $wanted." \
      'If the control plane is just being deployed, try again in a minute.'
  fi
  chmod 755 "$stage/bin/leash"
  version=$(as_cron sh "$stage/bin/leash" --version 2>"$stage/why") ||
    fail 'the downloaded program does not start here:' "$(cat "$stage/why")"
  version=${version#leash }
}

as_cron() { env -i PATH=/usr/bin:/bin HOME="$HOME" LOGNAME="${LOGNAME:-$(id -un)}" SHELL=/bin/sh "$@"; }

# Shows what the downloader said if it failed.
download() {
  case $downloader in
    curl)
      set -- "$1" "$2" -fsSL --retry 2 --connect-timeout 20 --max-time 600
      case $url in https:*) set -- "$@" --proto '=https' ;; esac
      if [ "$ca_file" ]; then set -- "$@" --cacert "$ca_file"; fi
      from=$1 to=$2
      shift 2
      curl "$@" -o "$to" "$from" 2>"$stage/why" && return ;;
    wget)
      from=$1 to=$2
      set -- -O "$to" -T 60 -t 3
      if [ "$ca_file" ]; then set -- "$@" --ca-certificate="$ca_file"; fi
      wget "$@" "$from" 2>"$stage/why" && return ;;
  esac
  fail "cannot download $from" "$(tail -n 3 "$stage/why")"
}

digest_of() {
  if has sha256sum; then
    sha256sum <"$1"
  elif has shasum; then
    shasum -a 256 <"$1"
  elif has openssl; then
    openssl dgst -sha256 -r <"$1"
  else
    "$node" -e 'process.stdout.write(require("crypto").createHash("sha256").update(require("fs").readFileSync(0)).digest("hex") + "\n")' <"$1"
  fi | sed 's/[^0-9a-f].*//'
}

# ---- Settings

# Writes stage/conf and stage/token. What this script sets replaces what was set before; all else of the file is kept.
write_settings() {
  {
    printf 'LEASH_URL=%s\n' "$url"
    # A token that was put in place by hand may have no setting yet.
    if [ "$token" ] || { [ "$keeps_token" ] && ! has_token_setting; }; then
      printf 'LEASH_TOKEN_FILE=%s\n' "$token_place"
    fi
    if [ "$machine" ]; then printf 'LEASH_MACHINE=%s\n' "$machine"; fi
    if [ "$ca_file" ]; then printf 'LEASH_CA_FILE=%s\n' "$(full_path "$ca_file")"; fi
    proxy_setting HTTPS_PROXY "${HTTPS_PROXY:-${https_proxy-}}"
    proxy_setting HTTP_PROXY "${HTTP_PROXY:-${http_proxy-}}"
    proxy_setting ALL_PROXY "${ALL_PROXY:-${all_proxy-}}"
    proxy_setting NO_PROXY "${NO_PROXY:-${no_proxy-}}"
  } >"$stage/set" || fail "cannot write to $stage"
  # A token in the settings would override the file.
  drop='LEASH_URL'
  if [ "$token" ]; then drop="$drop|LEASH_TOKEN|LEASH_TOKEN_FILE"; fi
  while IFS='=' read -r key rest; do drop="$drop|$key"; done <"$stage/set"
  if [ -e "$conf" ]; then
    if ! [ -r "$conf" ]; then fail "cannot read $conf"; fi
    grep -Ev "^[[:space:]]*($drop)[[:space:]]*=" "$conf" >"$stage/kept"
    # Its last line may have no line break.
    if [ -s "$stage/kept" ] && [ "$(tail -c 1 "$stage/kept")" ]; then echo >>"$stage/kept"; fi
  fi
  # The same settings in another order are no change.
  if [ -e "$conf" ] && [ "$(sort "$conf")" = "$(cat "$stage/kept" "$stage/set" | sort)" ]; then
    cat "$conf" >"$stage/conf"
  elif [ -s "$stage/kept" ]; then
    cat "$stage/kept" "$stage/set" >"$stage/conf"
  else
    cat "$stage/set" >"$stage/conf"
  fi || fail "cannot write to $stage"
  if [ "$token" ]; then
    cat >"$stage/token" <<EOF
$token
EOF
  fi
  # A proxy's password.
  case $(cat "$stage/set") in *PROXY=*@*) conf_mode=600 ;; esac
}

proxy_setting() {
  if [ "$2" ]; then printf '%s=%s\n' "$1" "$2"; fi
}

full_path() {
  case $1 in /*) printf '%s' "$1" ;; *) printf '%s/%s' "$(pwd)" "$1" ;; esac
}

# ---- The test: a real run, with the settings and the token as they will be, in the environment that cron gives

test_settings() {
  tested=''
  if [ "$no_test" ] || [ "$token_from" = nowhere ]; then return; fi
  choose_test_job
  if [ -z "$test_job" ]; then return; fi
  sed "s|^LEASH_TOKEN_FILE=.*|LEASH_TOKEN_FILE=$stage/token|" "$stage/conf" >"$stage/test-conf"
  if [ "$keeps_token" ]; then cp "$stage/conf" "$stage/test-conf"; fi
  echo "LEASH_STATE_DIR=$stage/state" >>"$stage/test-conf"
  mkdir "$stage/state"
  as_cron LEASH_CONFIG="$stage/test-conf" sh "$stage/bin/leash" run --job "$test_job" --log "$stage/log" --timeout 60s -- true >"$stage/why" 2>&1 </dev/null
  status=$?
  # Whatever it says is what went wrong; but that the token is sent unencrypted has been said.
  grep -v 'is sent unencrypted' "$stage/why" | sed 's/^leash: //; s/; the command keeps running$//' >"$stage/wrong"
  if [ "$status" != 0 ] || [ -s "$stage/wrong" ]; then
    fail 'the test job did not reach the control plane:' "$(head -n 1 "$stage/wrong")" "$(test_hint "$(cat "$stage/wrong")")"
  fi
  tested=yes
}

test_hint() {
  case $1 in
    *'(401)'*) say "Check the token: an administrator sees it under $url/tokens." ;;
    *'(403)'*)
      say 'Use a token for this machine and its jobs, or give --machine NAME or --test-job NAME; --no-test installs' \
        'without this test.' ;;
    *) say '--no-test installs without this test.' ;;
  esac
}

# A token may be for some jobs only. An ordinary job must not get a run that was none, so a token for one job tests nothing.
choose_test_job() {
  if [ "$test_job" ]; then return; fi
  test_job=leash-test
  asked=$stage/token
  if [ "$keeps_token" ]; then
    asked=$(sed -n 's/^[[:space:]]*LEASH_TOKEN_FILE[[:space:]]*=[[:space:]]*//p' "$stage/conf" | tail -n 1)
  fi
  if ! [ -s "$asked" ] || [ "$downloader" != curl ]; then return; fi
  set -- -sS --connect-timeout 20 --max-time 60 -o "$stage/session" -w '%{http_code}'
  if [ "$ca_file" ]; then set -- "$@" --cacert "$ca_file"; fi
  status=$(curl "$@" -K - "$url/api/v1/session" 2>"$stage/why" <<EOF
header = "Authorization: Bearer $(sed 's/[\\"]/\\&/g' "$asked")"
EOF
  ) || fail "cannot ask $url about the token" "$(tail -n 3 "$stage/why")"
  case $status in
    200) ;;
    401)
      fail 'the control plane does not accept this token: it is wrong, expired or deleted' "$(test_hint '(401)')" ;;
    # The test tells.
    *) return ;;
  esac
  answer=$("$node" -e '
    const { scopes, jobs } = JSON.parse(require("fs").readFileSync(0, "utf8")).session;
    const job = jobs.replace(/\*/, "leash-test").replaceAll("*", "x");
    console.log((scopes.includes("run") ? "run" : scopes.includes("admin") ? "admin" : "none") + " " + job);
  ' <"$stage/session" 2>/dev/null) || answer='run leash-test'
  test_job=${answer#* }
  case $answer in
    none*) fail 'this token may not run jobs: it lacks the scope `run`' 'Create one on the dashboard (Tokens, Add a machine).' ;;
    admin*) printf 'leash: warning: this is an admin token: a machine needs no more than the scope `run`\n' >&2 ;;
  esac
  case $test_job in *leash-test*) ;; *) only_job=$test_job test_job='' ;; esac
}

# ---- In place

put_in_place() {
  for each in "$dir" "${conf%/*}"; do make_directory "$each"; done
  say "leash $version for $who, from $url (SHA-256 verified)"
  if [ "$token" ]; then place token "$stage/token" "$token_place" 600 'only for its owner to read'; fi
  place settings "$stage/conf" "$conf" "$conf_mode"
  if [ "$node_linked" ]; then
    make_directory "${node_link%/*}"
    ln -sf "$node" "$node_link.$$" && mv -f "$node_link.$$" "$node_link" || fail "cannot write $node_link"
    say "  Node.js    $node_version, which cron would not find: $node_link leads to $node"
  elif [ -h "$node_link" ]; then
    rm -f "$node_link"
  fi
  # Last: with the program, all of it is there.
  place program "$stage/bin/leash" "$program" 755
  if [ "$tested" ]; then
    say "  self-test  the control plane has seen a run of $test_job, its output and its end"
  elif [ "${only_job-}" ]; then
    say "  self-test  none: the token is for the job $only_job only, which is not to have a run that was a test"
  else
    say '  self-test  none'
  fi
}

make_directory() {
  if [ -d "$1" ]; then return; fi
  # Programs are for all users; settings of one user are theirs.
  case $1 in */.config*) mkdir -p -m 700 "$1" ;; *) (umask 022 && mkdir -p "$1") ;; esac || fail "cannot create $1"
}

# Writes beside the file and renames: neither a full disk nor a kill leaves half a file. Keeps owner and mode of a file that
# is there, except that others must not read what is secret.
place() {
  what=$(printf '%-9s' "$1") source=$2 target=$3 mode=$4 remark=${5-}
  if [ -h "$target" ] && has readlink; then target=$(readlink -f "$target") || fail "$3 leads nowhere"; fi
  if [ -e "$target" ] && cmp -s "$source" "$target" && ! is_too_open; then
    say "  $what  $3 (unchanged)"
    return
  fi
  new=$target.new.$$
  trap 'rm -rf "$stage" "$new"' EXIT
  if [ -e "$target" ]; then
    cp -p "$target" "$new" || fail "cannot write $new"
    # Before there is a secret in it.
    if is_too_open; then chmod "$mode" "$new" || fail "cannot change the mode of $new"; fi
    cat "$source" >"$new" || fail "cannot write $new"
  else
    cp "$source" "$new" && chmod "$mode" "$new" || fail "cannot write $new"
  fi
  mv -f "$new" "$target" || fail "cannot replace $target"
  say "  $what  $3${remark:+ ($remark)}"
}

# A group that may read a token was given that on purpose. A program must be executable.
is_too_open() {
  # shellcheck disable=SC2046 # split into its columns
  set -- $(ls -ldnL "$target")
  case $mode,$1 in
    600,???????---* | 644,* | 755,-rwx*) return 1 ;;
    *) return 0 ;;
  esac
}

say_what_next() {
  say ''
  if [ "$token_from" = nowhere ]; then
    say "Next, give it a token with the scope \`run\`: put it in $token_place (chmod 600), and add the line"
    say "LEASH_TOKEN_FILE=$token_place to $conf."
    say ''
    say 'If you only want to see and kill runs from here, it needs none. Sign in instead:'
    say ''
    say "  $program login $url"
    return
  fi
  say 'Next, run a job, and watch or kill it on the dashboard:'
  say ''
  say "  $program run --job ${only_job:-hello} -- sh -c 'echo hello; sleep 60'"
  say "  $url/jobs/${only_job:-hello}"
  say ''
  say 'Then put leash in front of the commands in a crontab:'
  say ''
  say "  0 3 * * *  $program run --job ${only_job:-backup} -- /path/to/command"
  say ''
  say "$program crontab does that for a whole crontab, and $program doctor checks this machine."
}

# A token that follows the script on stdin is the body of the here-document, whichever shell reads it; its end is the end
# of the input, which bash would mention.
exec 4>&2 2>/dev/null
{ main "$@" 2>&4; } 3<&0 <<'LEASH: END OF INPUT'
