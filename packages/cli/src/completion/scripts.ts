/**
 * One script a shell. Each only hands the words on and shows what `berth __complete` answers, so that they need not
 * change when commands do. Where nothing fits, the shell completes file names.
 */
export const completionScripts = {
  bash: `# berth: source this in ~/.bashrc
_berth() {
  local IFS=$'\\n' line
  COMPREPLY=()
  while read -r line; do COMPREPLY+=("\${line%%$'\\t'*}"); done < <(
    "\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null
  )
}
complete -o default -F _berth berth
`,
  zsh: `#compdef berth
# berth: source this in ~/.zshrc, after compinit
_berth() {
  local -a found
  local line value
  while IFS= read -r line; do
    value="\${line%%$'\\t'*}"
    found+=("\${value//:/\\\\:}:\${line#*$'\\t'}")
  done < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then _describe berth found; else _files; fi
}
compdef _berth berth
`,
  fish: `# berth: ~/.config/fish/completions/berth.fish
function __berth_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c berth -a '(__berth_complete)'
`,
} as const;
