/**
 * Policy documents as the commands handle them. From files they are checked by the one parser, before anything is
 * sent; from the server they are read leniently, so that an older command still lists and deletes what a newer server
 * keeps.
 */
import { isRecord, member } from '../../proto/policy/problems.ts';
import { type FieldError, messageOf, ValidationError } from './api-client.ts';
import type { Arguments } from './arguments.ts';
import type { Context } from './context.ts';
import { usageError } from './exit-codes.ts';

/** What every command needs of a document; the rest is carried along. */
export interface PolicyDocument {
  readonly namespace: string;
  readonly name: string;
  readonly generation: number | undefined;
  readonly createdAt: string | undefined;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly labels: unknown;
  /** The whole document. */
  readonly value: Readonly<Record<string, unknown>>;
}

export interface SourcedDocument extends PolicyDocument {
  readonly file: string;
}

export const keyOf = ({ namespace, name }: PolicyDocument): string => `${namespace}/${name}`;

export const policyPath = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `/v1/namespaces/${encodeURIComponent(namespace)}/policies/${encodeURIComponent(name)}`;

/** Undefined when it is no document at all. */
export function readDocument(value: unknown): PolicyDocument | undefined {
  const metadata = member(value, 'metadata');
  const name = member(metadata, 'name');
  const spec = member(value, 'spec');
  if (!isRecord(value) || !isRecord(metadata) || typeof name !== 'string' || !isRecord(spec)) return undefined;
  const { namespace, generation, creationTimestamp } = metadata;
  return {
    namespace: typeof namespace === 'string' ? namespace : 'default',
    name,
    generation: typeof generation === 'number' ? generation : undefined,
    createdAt: typeof creationTimestamp === 'string' ? creationTimestamp : undefined,
    spec,
    labels: metadata.labels,
    value,
  };
}

/** What the author wrote, without what the server adds: the part that is compared and shown by `diff`. */
export function authored(document: PolicyDocument): Readonly<Record<string, unknown>> {
  const { namespace, name, labels, spec, value } = document;
  return {
    apiVersion: value.apiVersion,
    kind: value.kind,
    metadata: { ...(isRecord(labels) && Object.keys(labels).length > 0 ? { labels } : {}), name, namespace },
    spec,
  };
}

/** Everything named by `-f`, all of it valid, or one ValidationError with every mistake in every file. */
export async function readFiles(context: Context, given: Arguments): Promise<SourcedDocument[]> {
  const files = given.list('file');
  if (files.length === 0) throw usageError('no file given: use -f <file>, or -f - for standard input');
  const namespace = given.text('namespace');
  // The parser and its schema are loaded only by the commands that read documents.
  const { parsePolicyYaml } = await import('../../proto/policy/parse.ts');
  const documents: SourcedDocument[] = [];
  const errors: LocatedError[] = [];
  for (const file of files) {
    const shown = file === '-' ? '<stdin>' : file;
    const parsed = parsePolicyYaml(await readText(context, file));
    if (!parsed.ok) {
      errors.push(...parsed.errors.map((error) => ({ ...error, file: shown })));
      continue;
    }
    for (const policy of parsed.policies) {
      const written = policy.metadata.namespace;
      if (namespace !== undefined && written !== undefined && written !== namespace) {
        throw usageError(`${shown}: ${policy.metadata.name} is in namespace ${written}, but -n says ${namespace}`);
      }
      const metadata = { ...policy.metadata, namespace: written ?? namespace ?? 'default' };
      const document = readDocument({ ...policy, metadata });
      if (document) documents.push({ ...document, file: shown });
    }
  }
  if (errors.length > 0) throw new ValidationError(describeErrors(errors), errors);
  return documents;
}

async function readText(context: Context, file: string): Promise<string> {
  try {
    return await (file === '-' ? context.readStdin() : context.readFile(file));
  } catch (cause) {
    throw usageError(`cannot read ${file}: ${messageOf(cause)}`);
  }
}

export interface LocatedError extends FieldError {
  readonly file: string;
}

/** `policy.yaml:7:11 /spec/inbound/rateLimits/0/rate: … (hint)`, one a line, so that editors can jump there. */
export function describeErrors(errors: readonly LocatedError[]): string {
  const lines = errors.map(({ file, line, column, pointer, message, hint }) => {
    const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
    return `${place}${pointer ? ` ${pointer}` : ''}: ${message}${hint ? ` (${hint})` : ''}`;
  });
  const count = errors.length === 1 ? '1 error' : `${errors.length} errors`;
  return [`not valid, ${count}; nothing was changed`, ...lines].join('\n  ');
}
