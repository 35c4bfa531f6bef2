/** What an operator asks of this one sidecar through the control plane: dump, drain, resync, rehearse. */
import type { Command, CommandReply } from '../../../proto/fleet-messages.ts';
import { subjects } from '../../../proto/subjects.ts';
import type { Bus } from './bus.ts';
import type { FleetCodec } from './codec.ts';
import type { Mesh } from './mesh.ts';

type Answer = Omit<CommandReply, 'v'>;

export function obeyCommands(mesh: Mesh, bus: Bus, codec: FleetCodec, resync: () => void): void {
  bus.subscribe(subjects.command(mesh.identity, mesh.identity.instance), ({ bytes, respond }) => {
    const command = codec.decodeCommand(bytes);
    const answer = command ? obey(mesh, command, resync) : refusal('cannot be read');
    if (answer instanceof Promise) void answer.then((later) => respond(codec.encodeCommandReply(later)));
    else respond(codec.encodeCommandReply(answer));
  });
}

function obey(mesh: Mesh, command: Command, resync: () => void): Answer | Promise<Answer> {
  const unknown = command.mustUnderstand[0];
  if (unknown !== undefined) return refusal(`this version does not know ${JSON.stringify(unknown)}`);
  switch (command.name) {
    case 'dump':
      return { ok: true, message: '', json: JSON.stringify(mesh.dump()) };
    case 'drain':
      mesh.drain();
      return { ok: true, message: 'draining', json: '' };
    case 'rehearse':
      return mesh.rehearse(command.json);
    case 'resync':
      resync();
      return { ok: true, message: 'reading everything again', json: '' };
    default:
      return refusal(`no such command: ${JSON.stringify(command.name)}`);
  }
}

function refusal(message: string): Answer {
  return { ok: false, message, json: '' };
}
