/**
 * Writes weir-rules.yaml and weir-dashboard.json anew. After a build, from the top of the repository:
 *
 *     node dist/deploy/grafana/generate.js deploy/grafana
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboardJson } from './dashboard.ts';
import { rulesYaml } from './rules.ts';

const [folder = '.'] = process.argv.slice(2);
writeFileSync(join(folder, 'weir-rules.yaml'), rulesYaml());
writeFileSync(join(folder, 'weir-dashboard.json'), `${JSON.stringify(dashboardJson(), null, 2)}\n`);
