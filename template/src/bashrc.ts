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
