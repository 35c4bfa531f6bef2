/**
 * Writes crd.yaml anew from the policy schema. After a build, from the top of the repository:
 *
 *     node dist/deploy/kubernetes/generate-crd.js deploy/kubernetes/crd.yaml
 */
import { writeFileSync } from 'node:fs';
import { policyCrdYaml } from '../../proto/policy/export.ts';

const [path] = process.argv.slice(2);
if (path === undefined) process.stdout.write(policyCrdYaml());
else writeFileSync(path, policyCrdYaml());
