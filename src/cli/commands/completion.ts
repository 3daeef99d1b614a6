import {exit, usageError} from '../failure.ts';
import type {Invocation, World} from '../world.ts';

const program = 'kubectl-quorum_recovery';

const bash = `# bash completion for ${program}: source <(kubectl quorum-recovery completion bash)
_quorum_recovery() {
  local IFS=$'\\n' words
  words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=($(${program} __complete "\${words[@]}" 2>/dev/null | grep -v '^:' | cut -f1))
}
complete -F _quorum_recovery ${program} kubectl-qr`;

const zsh = `#compdef ${program} kubectl-qr
# zsh completion for ${program}: kubectl quorum-recovery completion zsh > "\${fpath[1]}/_${program}"
_quorum_recovery() {
  local -a found
  found=("\${(@f)$(${program} __complete "\${words[@]:1:$((CURRENT - 1))}" 2>/dev/null | grep -v '^:' | sed 's/:/\\\\:/g; s/\\t/:/')}")
  _describe '${program}' found
}
compdef _quorum_recovery ${program} kubectl-qr`;

const fish = `# fish completion for ${program}: kubectl quorum-recovery completion fish | source
function __quorum_recovery
  set -l words (commandline -opc) (commandline -ct)
  ${program} __complete $words[2..-1] 2>/dev/null | string match -v ':*'
end
complete -c ${program} -f -a '(__quorum_recovery)'
complete -c kubectl-qr -f -a '(__quorum_recovery)'`;

const scripts: Record<string, string> = {bash, zsh, fish};

export function run({positionals: [shell = '']}: Invocation, {terminal}: World): Promise<number> {
  const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
  if (script === undefined) return Promise.reject(usageError(`For which shell? kubectl quorum-recovery completion ${Object.keys(scripts).join('|')}`));
  terminal.out(script);
  return Promise.resolve(exit.ok);
}
