/** Every way in which a sidecar is started gives Node the same flags. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { nodeEnvironment, nodeFlags } from '../../../deploy/local/node-flags.ts';

const root = new URL('../../../', import.meta.url);
const flags = nodeFlags.join(' ');
const environment = Object.entries(nodeEnvironment).map(([name, value]) => `${name}=${value}`);

it.each([
  ['the weir command', 'control-plane/cli/main.ts', `#!/usr/bin/env -S ${environment.join(' ')} node ${flags}\n`],
  ['the image', 'deploy/images/weir', `export ${environment.join('\nexport ')}\nexec node ${flags} `],
])('%s runs Node with the flags and variables of the rest', (_what, file, line) => {
  expect(readFileSync(new URL(file, root), 'utf8')).toContain(line);
});
