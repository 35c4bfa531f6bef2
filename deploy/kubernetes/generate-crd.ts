/**
 * Writes anew what is derived from the policy schema: crd.yaml, and in ../policies the JSON Schema for editors and the
 * reference page. After a build, from the top of the repository:
 *
 *     node dist/deploy/kubernetes/generate-crd.js deploy/kubernetes/crd.yaml
 */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { policyCrdYaml, policyJsonSchemaText } from '../../proto/policy/export.ts';
import { policyReference } from '../../proto/policy/reference.ts';

const [path] = process.argv.slice(2);
if (path === undefined) process.stdout.write(policyCrdYaml());
else {
  const policies = join(dirname(path), '..', 'policies');
  writeFileSync(path, policyCrdYaml());
  writeFileSync(join(policies, 'trafficpolicy.schema.json'), policyJsonSchemaText());
  writeFileSync(join(policies, 'REFERENCE.md'), policyReference());
}
