/** `weir completion bash|zsh|fish`: made from the same tables as the help, so it cannot fall behind. */
import { type Command, type CommandEntry, serverFlags } from '../command.ts';
import { ExitCode, usageError } from '../exit-codes.ts';

export function completionOf(commands: Readonly<Record<string, CommandEntry>>): Command {
  return {
    usage: 'weir completion bash|zsh|fish',
    description: 'Prints a completion script for the shell.',
    flags: {},
    positionalsMax: 1,
    examples: [
      'source <(weir completion bash)',
      'source <(weir completion zsh)',
      'weir completion fish > ~/.config/fish/completions/weir.fish',
    ],
    async run(context, given) {
      const script = scripts[given.positionals[0] ?? ''];
      if (!script) throw usageError('for which shell?', 'bash, zsh or fish');
      context.stdout.write(script(await wordsOf(commands)));
      return ExitCode.ok;
    },
  };
}

async function wordsOf(commands: Readonly<Record<string, CommandEntry>>): Promise<WordsOf[]> {
  const words: WordsOf[] = [];
  for (const [name, entry] of Object.entries(commands)) {
    const flags = 'load' in entry && name !== 'completion' ? Object.keys((await entry.load()).flags) : [];
    const all = [...(nouns[name] ?? []), ...flags.map((flag) => `--${flag}`), '--help'];
    words.push({ name, summary: entry.summary, words: all });
  }
  return words;
}

interface WordsOf {
  readonly name: string;
  readonly summary: string;
  readonly words: readonly string[];
}

const nouns: Readonly<Record<string, readonly string[]>> = {
  get: ['services', 'instances', 'policies'],
  delete: ['policy'],
  probe: ['ready', 'live'],
  breaker: ['force', 'reset', 'open', 'closed'],
  rollout: ['start', 'status', 'pause', 'resume', 'promote', 'abort'],
  token: ['ls', 'create', 'revoke', 'whoami'],
  dlq: ['ls', 'show', 'redrive', 'discard', 'export'],
  'nats-permissions': ['control-plane', 'sidecar', 'template'],
  completion: ['bash', 'zsh', 'fish'],
};

/** Flags whose value is a file: there the shell's own completion helps. */
const fileFlags = [
  '-f',
  '--file',
  ...Object.keys(serverFlags)
    .filter((flag) => flag.endsWith('file'))
    .map((f) => `--${f}`),
];

function bash(words: readonly WordsOf[]): string {
  return `_weir() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}
  case $before in ${fileFlags.join('|')}) COMPREPLY=($(compgen -f -- "$word")); return ;; esac
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "${words.map(({ name }) => name).join(' ')}" -- "$word")); return; fi
  case \${COMP_WORDS[1]} in
${words.map((entry) => `    ${entry.name}) COMPREPLY=($(compgen -W "${entry.words.join(' ')}" -- "$word")) ;;`).join('\n')}
  esac
}
complete -F _weir weir
`;
}

function zsh(words: readonly WordsOf[]): string {
  return `#compdef weir
_weir() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${words.map(({ name, summary }) => `      '${name}:${summary.replaceAll("'", '').replaceAll(':', '\\:')}'`).join('\n')}
    )
    _describe command commands
    return
  fi
  case $words[CURRENT-1] in ${fileFlags.join('|')}) _files; return ;; esac
  case $words[2] in
${words.map((entry) => `    ${entry.name}) compadd -- ${entry.words.join(' ')} ;;`).join('\n')}
  esac
}
compdef _weir weir
`;
}

function fish(words: readonly WordsOf[]): string {
  return `${words
    .flatMap(({ name, summary, words: more }) => [
      `complete -c weir -n __fish_use_subcommand -f -a ${name} -d '${summary.replaceAll("'", '')}'`,
      ...more.map((word) =>
        word.startsWith('--')
          ? `complete -c weir -n '__fish_seen_subcommand_from ${name}' -l ${word.slice(2)}`
          : `complete -c weir -n '__fish_seen_subcommand_from ${name}' -f -a ${word}`,
      ),
    ])
    .join('\n')}
`;
}

const scripts: Readonly<Record<string, (words: readonly WordsOf[]) => string>> = { bash, zsh, fish };
