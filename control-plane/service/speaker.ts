/**
 * Who a message is from. NATS permissions confine a sidecar to its own subjects, so the subject says who speaks; a
 * message whose content names somebody else is not believed.
 */
import type { Identity } from '../../proto/fleet-messages.ts';

/** The last three tokens of every subject that a sidecar publishes to are `<ns>.<svc>.<id>`. */
export function speaksForItself(subject: string, { namespace, service, instance }: Identity): boolean {
  return subject.endsWith(`.${namespace}.${service}.${instance}`);
}
