/** The scripts that `leash completion` prints. They ask the program itself: it knows its flags, and the control plane's jobs. */

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The subcommand that the scripts call. Not for people. */
const COMPLETE = '__complete';

// bash 3.2, which macOS has, knows neither mapfile nor compopt.
const BASH = `# bash completion for leash. In ~/.bashrc:  eval "$(leash completion bash)"
_leash() {
  local line current=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) _leash_compgen -f ;;
      :directories) _leash_compgen -d ;;
      :commands) _leash_compgen -c ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <("\${COMP_WORDS[0]}" ${COMPLETE} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
_leash_compgen() {
  local match
  compopt -o filenames 2>/dev/null
  while IFS= read -r match; do COMPREPLY+=("$match"); done < <(compgen "$1" -- "$current")
}
complete -F _leash leash
`;

const ZSH = `#compdef leash
# zsh completion for leash. In ~/.zshrc, after compinit:  eval "$(leash completion zsh)"
_leash() {
  local line
  local -a candidates
  for line in "\${(@f)$("\${words[1]}" ${COMPLETE} -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      '') ;;
      :files) _files; return ;;
      :directories) _files -/; return ;;
      :commands) _command_names -e; return ;;
      *$'\\t'*) candidates+=("\${line%%$'\\t'*}:\${line#*$'\\t'}") ;;
      *) candidates+=("$line") ;;
    esac
  done
  _describe leash candidates
}
compdef _leash leash
`;

const FISH = `# fish completion for leash. In ~/.config/fish/config.fish:  leash completion fish | source
function __leash_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  for line in ($words[1] ${COMPLETE} -- $words[2..-1] $current 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path $current
      case ':directories'
        __fish_complete_directories $current
      case ':commands'
        __fish_complete_command
      case '*'
        printf '%s\\n' $line
    end
  end
end
complete -c leash -f -a '(__leash_complete)'
`;

export const COMPLETION_SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
