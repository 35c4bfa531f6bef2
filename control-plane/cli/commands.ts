/** Every command of `weir`, loaded only when it is called. The summaries are the top-level help. */
import type { CommandEntry } from './command.ts';

export const commands: Readonly<Record<string, CommandEntry>> = {
  dev: {
    summary: 'Run a control plane and its nats-server on this machine, data kept',
    load: async () => (await import('./commands/dev.ts')).dev,
  },
  demo: {
    summary: 'Run the demo: the same load with and without Weir, side by side',
    program: async () => (await import('./commands/demo.ts')).demo,
  },
  get: {
    summary: 'Show services, instances or policies',
    load: async () => (await import('./commands/get.ts')).get,
  },
  apply: {
    summary: 'Create or replace policies from files',
    load: async () => (await import('./commands/apply.ts')).apply,
  },
  diff: {
    summary: 'Show what apply would change',
    load: async () => (await import('./commands/diff.ts')).diff,
  },
  validate: {
    summary: 'Check policies here, without a control plane',
    load: async () => (await import('./commands/validate.ts')).validate,
  },
  impact: {
    summary: 'Show what a policy would have done with recorded traffic',
    load: async () => (await import('./commands/impact.ts')).impact,
  },
  history: {
    summary: 'Show the revisions of a policy, or what differs between two',
    load: async () => (await import('./commands/history.ts')).history,
  },
  rollback: {
    summary: 'Make an older revision of a policy the newest',
    load: async () => (await import('./commands/rollback.ts')).rollback,
  },
  rollout: {
    summary: 'Give a policy to the instances by stages; pause, promote or abort',
    load: async () => (await import('./commands/rollout.ts')).rollout,
  },
  edges: {
    summary: 'Show who calls whom, and how it goes',
    load: async () => (await import('./commands/edges.ts')).edges,
  },
  breakers: {
    summary: 'Show the breakers of the fleet, and their evidence',
    load: async () => (await import('./commands/breakers.ts')).breakers,
  },
  breaker: {
    summary: 'Force a breaker of the fleet open or closed for a while, or reset it',
    load: async () => (await import('./commands/breaker.ts')).breaker,
  },
  delete: {
    summary: 'Delete policies',
    load: async () => (await import('./commands/delete.ts')).deleteCommand,
  },
  dlq: {
    summary: 'List, show, send again, discard or export dead letters',
    load: async () => (await import('./commands/dlq.ts')).dlq,
  },
  token: {
    summary: 'Make, list and revoke API tokens',
    load: async () => (await import('./commands/token.ts')).token,
  },
  audit: {
    summary: 'Show what was done and denied',
    load: async () => (await import('./commands/audit.ts')).audit,
  },
  sidecar: {
    summary: 'Run the proxy beside a service',
    program: async () => (await import('./commands/programs.ts')).sidecar,
  },
  'control-plane': {
    summary: 'Run the control plane',
    program: async () => (await import('./commands/programs.ts')).controlPlane,
  },
  drain: {
    summary: 'Let a sidecar finish its requests and take no new ones',
    load: async () => (await import('./commands/drain.ts')).drain,
  },
  probe: {
    summary: 'Ask a sidecar whether it is ready or alive',
    load: async () => (await import('./commands/probe.ts')).probe,
  },
  'nats-permissions': {
    summary: 'Print what to allow a sidecar or the control plane at NATS',
    load: async () => (await import('./commands/nats-permissions.ts')).natsPermissions,
  },
  completion: {
    summary: 'Print the completion script for bash, zsh or fish',
    load: async () => (await import('./commands/completion.ts')).completionOf(commands),
  },
  version: {
    summary: 'Print the versions of the command and the control plane',
    load: async () => (await import('./commands/version.ts')).version,
  },
};
