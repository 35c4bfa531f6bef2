/** `weir diff -f`: what apply would change. */
import { connect } from '../api-client.ts';
import { type Command, fileFlag, namespaceFlag, serverFlags } from '../command.ts';
import { ExitCode } from '../exit-codes.ts';
import { toYaml } from '../formats.ts';
import { unifiedDiff } from '../line-diff.ts';
import { authored, keyOf, policyPath, readDocument, readFiles } from '../policy-documents.ts';
import { paintFor } from '../style.ts';

export const diff: Command = {
  usage: 'weir diff -f file|-',
  description:
    'Shows the lines that apply would change, as a unified diff. Keys are sorted on both sides and\n' +
    'what the server adds is left out. Exit code 0: no differences, 1: differences.',
  flags: { ...fileFlag, ...namespaceFlag, ...serverFlags },
  positionalsMax: 0,
  examples: ['weir diff -f policy.yaml', 'weir diff -f policy.yaml || weir apply -f policy.yaml'],
  async run(context, given) {
    const documents = await readFiles(context, given);
    const client = await connect(context, given);
    const paint = paintFor(context, context.stdout);
    let exitCode: ExitCode = ExitCode.ok;
    for (const document of documents) {
      const present = await client.request('GET', policyPath(document), { accept: [404] });
      const current = present.status === 404 ? undefined : readDocument(present.body);
      const text = unifiedDiff(
        current ? await toYaml(authored(current)) : '',
        await toYaml(authored(document)),
        { before: current ? `${keyOf(current)} (live)` : '/dev/null', after: `${keyOf(document)} (${document.file})` },
        paint,
      );
      context.stdout.write(text);
      if (text !== '') exitCode = ExitCode.failed;
    }
    return exitCode;
  },
};
