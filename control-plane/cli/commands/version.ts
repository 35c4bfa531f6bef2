/** `weir version`: what this is, and what the control plane is when one answers. */
import { readFile } from 'node:fs/promises';
import { isRecord } from '../../../proto/policy/problems.ts';
import { connect } from '../api-client.ts';
import { type Command, serverFlags } from '../command.ts';
import { CommandError, ExitCode } from '../exit-codes.ts';

export const version: Command = {
  usage: 'weir version',
  description: 'Prints the version of this command, of Node, and of the control plane when one answers.',
  flags: {
    output: {
      kind: 'choice',
      short: 'o',
      choices: ['text', 'json'],
      description: 'Form of the output.',
      default: 'text',
    },
    ...serverFlags,
    timeout: { kind: 'duration', description: 'How long to wait for the control plane.', default: '1s' },
  },
  positionalsMax: 0,
  examples: ['weir version', 'weir version -o json'],
  async run(context, given) {
    const client = await connect(context, given);
    let controlPlane: unknown = null;
    try {
      controlPlane = (await client.request('GET', '/v1/version')).body ?? null;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
    }
    const answer = { weir: await ownVersion(), node: process.versions.node, controlPlane };
    if (given.text('output') === 'json') {
      context.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
      return ExitCode.ok;
    }
    const remote = isRecord(controlPlane) ? String(controlPlane.version ?? 'unknown') : `none at ${client.server}`;
    context.stdout.write(`weir           ${answer.weir}\nnode           ${answer.node}\ncontrol plane  ${remote}\n`);
    return ExitCode.ok;
  },
};

/** The package stands three folders above the sources, and four above the build. */
async function ownVersion(): Promise<string> {
  for (const up of ['../../../package.json', '../../../../package.json']) {
    try {
      const value: unknown = JSON.parse(await readFile(new URL(up, import.meta.url), 'utf8'));
      if (isRecord(value) && value.name === 'weir' && typeof value.version === 'string') return value.version;
    } catch {
      // Not there: the other one is.
    }
  }
  return 'unknown';
}
