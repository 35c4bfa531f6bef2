/** `weir validate -f`: the one parser, here, without asking anybody. */
import { type Command, fileFlag, namespaceFlag } from '../command.ts';
import { ExitCode } from '../exit-codes.ts';
import { keyOf, readFiles } from '../policy-documents.ts';

export const validate: Command = {
  usage: 'weir validate -f file|-',
  description:
    'Checks policies without a control plane: every mistake of every document, with its line. Exit code 6 when\n' +
    'there is one. What only the control plane knows, such as a field that is managed elsewhere, apply --dry-run tells.',
  flags: { ...fileFlag, ...namespaceFlag },
  positionalsMax: 0,
  examples: [
    'weir validate -f policy.yaml',
    'weir validate -f a.yaml -f b.yaml',
    'kustomize build . | weir validate -f -',
  ],
  async run(context, given) {
    for (const document of await readFiles(context, given)) {
      context.stdout.write(`policy ${keyOf(document)} is valid\n`);
    }
    return ExitCode.ok;
  },
};
