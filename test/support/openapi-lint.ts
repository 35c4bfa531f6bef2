/**
 * Whether a description of an API is one: valid by the schema of OpenAPI 3.1, and what that schema cannot say. Every
 * finding is a line.
 */
import { Validator } from '@seriousme/openapi-schema-validator';
import { isRecord } from '../../proto/policy/problems.ts';

const methods = ['get', 'put', 'post', 'delete', 'patch'];

export async function lintOpenApi(document: unknown): Promise<string[]> {
  if (!isRecord(document)) return ['it is no object'];
  const result = await new Validator().validate(JSON.parse(JSON.stringify(document)));
  const findings = result.valid ? [] : [`schema: ${JSON.stringify(result.errors).slice(0, 2_000)}`];
  const ids = new Set<unknown>();
  for (const [path, item] of Object.entries(isRecord(document.paths) ? document.paths : {})) {
    for (const [method, operation] of Object.entries(isRecord(item) ? item : {})) {
      const say = (finding: string): void => void findings.push(`${method} ${path}: ${finding}`);
      if (!methods.includes(method) || !isRecord(operation)) {
        say('is no operation');
        continue;
      }
      if (typeof operation.summary !== 'string' || operation.summary === '') say('has no summary');
      if (ids.has(operation.operationId)) say(`its id ${String(operation.operationId)} is another's too`);
      ids.add(operation.operationId);
      for (const finding of parameterFindings(path, operation.parameters)) say(finding);
      const responses = isRecord(operation.responses) ? Object.keys(operation.responses) : [];
      if (!responses.some((status) => status.startsWith('2'))) say('never succeeds');
      if (!responses.includes('default')) say('does not say how it fails');
    }
  }
  return findings;
}

/** Those of the path are described, and no others; none twice. */
function parameterFindings(path: string, parameters: unknown): string[] {
  const findings: string[] = [];
  const named = new Set([...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name));
  const seen = new Set<string>();
  for (const parameter of Array.isArray(parameters) ? parameters : []) {
    const { name, in: place, schema } = isRecord(parameter) ? parameter : {};
    const key = `${String(place)} ${String(name)}`;
    if (seen.has(key)) findings.push(`${key} is there twice`);
    seen.add(key);
    if (!isRecord(schema)) findings.push(`${key} has no schema`);
    if (place === 'path' && !named.delete(String(name))) findings.push(`${key} is not in the path`);
  }
  for (const name of named) findings.push(`${name} of the path is not described`);
  return findings;
}
