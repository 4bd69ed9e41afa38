/**
 * The shell's start-up file in a sandbox: the prompt names the sandbox, whose hostname is read when a shell starts,
 * since a clone gets it later than this file.
 */
export const bashrc = `# Interactive shells of this sandbox.
case $- in *i*) ;; *) return ;; esac
HISTSIZE=10000
HISTFILESIZE=20000
HISTCONTROL=ignoreboth
shopt -s histappend checkwinsize
berth_name=$(cat "\${BERTH_ROOT:-}/etc/hostname" 2>/dev/null || hostname)
PS1='\\[\\e[1;36m\\]$berth_name\\[\\e[0m\\]:\\[\\e[1;34m\\]\\w\\[\\e[0m\\]\\$ '
alias ls='ls --color=auto'
alias grep='grep --color=auto'
`;

/** What a login shell reads; Debian's own adds nothing that the other does not. */
export const profile = '[ -n "$BASH_VERSION" ] && . "$HOME/.bashrc"\n';

/** Commands that the user installs for itself (`npm install --global`, `pip install --user`) come first. */
export const pathProfile = `# Commands that this user installed.
case ":$PATH:" in
  *":$HOME/.local/bin:"*) ;;
  *) PATH="$HOME/.local/bin:$PATH" ;;
esac
`;
