/** `weir apply -f`: create what is absent, replace what differs, leave what is the same. */
import { canonicalJson } from '../../../proto/policy/canonical-json.ts';
import { type ApiClient, connect, ValidationError } from '../api-client.ts';
import { type Command, fileFlag, namespaceFlag, serverFlags } from '../command.ts';
import type { Context } from '../context.ts';
import { CommandError, ExitCode } from '../exit-codes.ts';
import {
  authored,
  describeErrors,
  keyOf,
  policyPath,
  readDocument,
  readFiles,
  type SourcedDocument,
} from '../policy-documents.ts';
import { paintFor, type Style } from '../style.ts';

type Outcome = 'created' | 'configured' | 'unchanged';
const styles: Readonly<Record<Outcome, Style>> = { created: 'green', configured: 'yellow', unchanged: 'dim' };

export const apply: Command = {
  usage: 'weir apply -f file|-',
  description:
    'Creates or replaces policies. Every document of every file is checked first; when one is\n' +
    'wrong, all mistakes are listed and nothing is changed. What somebody else changed between\n' +
    'our look and our write is a conflict (exit code 5), never overwritten.',
  flags: {
    ...fileFlag,
    ...namespaceFlag,
    'dry-run': { kind: 'boolean', description: 'Let the control plane check everything and change nothing.' },
    ...serverFlags,
  },
  positionalsMax: 0,
  examples: [
    'weir apply -f policy.yaml',
    'weir apply -f policies.yaml -n shop --dry-run',
    'weir get policy payments -o yaml | sed s/500/800/ | weir apply -f -',
  ],
  async run(context, given) {
    const documents = await readFiles(context, given);
    const client = await connect(context, given);
    const dryRun = given.flag('dry-run');
    let exitCode: ExitCode = ExitCode.ok;
    for (const document of documents) {
      try {
        const outcome = await applyOne(client, document, dryRun);
        say(context, document, outcome, dryRun);
      } catch (error) {
        // One refused document does not keep the others waiting; an absent control plane does.
        if (!(error instanceof CommandError) || !isAboutOneDocument(error)) throw error;
        context.stderr.write(`policy ${keyOf(document)}: ${described(document, error)}\n`);
        if (exitCode === ExitCode.ok) exitCode = error.exitCode;
      }
    }
    return exitCode;
  },
};

async function applyOne(client: ApiClient, document: SourcedDocument, dryRun: boolean): Promise<Outcome> {
  const path = policyPath(document);
  const query = dryRun ? '?dryRun=All' : '';
  const present = await client.request('GET', path, { accept: [404] });
  if (present.status === 404) {
    const collection = path.slice(0, path.lastIndexOf('/'));
    await client.request('POST', `${collection}${query}`, { body: authored(document) });
    return 'created';
  }
  const current = readDocument(present.body);
  if (current && canonicalJson(authored(current)) === canonicalJson(authored(document))) return 'unchanged';
  if (present.etag === undefined) throw new CommandError(ExitCode.failed, 'the control plane sent no ETag');
  await client.request('PUT', `${path}${query}`, { body: authored(document), ifMatch: present.etag });
  return 'configured';
}

function isAboutOneDocument({ exitCode }: CommandError): boolean {
  return exitCode === ExitCode.invalid || exitCode === ExitCode.conflict || exitCode === ExitCode.failed;
}

function described({ file }: SourcedDocument, error: CommandError): string {
  if (error instanceof ValidationError && error.errors.length > 0) {
    return describeErrors(error.errors.map((one) => ({ ...one, file })));
  }
  const hint = error.exitCode === ExitCode.conflict ? '; it was changed meanwhile, look again with "weir diff"' : '';
  return `${error.message}${hint}`;
}

function say(context: Context, document: SourcedDocument, outcome: Outcome, dryRun: boolean): void {
  const paint = paintFor(context, context.stdout);
  const suffix = dryRun ? ' (dry run)' : '';
  context.stdout.write(`policy ${keyOf(document)} ${paint(styles[outcome], outcome)}${suffix}\n`);
}
