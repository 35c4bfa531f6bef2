/**
 * What goes wrong during an outage, by a seed: the leader is killed at a chosen step of the breaker or stands still, the
 * lease's stream elects or its bucket is wiped, NATS splits or is gone, callers restart. One to three of these, at random
 * times.
 */
import type { Random } from '../../../proto/kernel/random.ts';
import type { FleetWorld } from './fleet-world.ts';
import { cutOff } from './network.ts';

export type Fault = 'kill at step' | 'kill' | 'stall' | 'election' | 'wipe' | 'split' | 'no NATS' | 'restart';

export const faults: readonly Fault[] = [
  'kill at step',
  'kill',
  'stall',
  'election',
  'wipe',
  'split',
  'no NATS',
  'restart',
];

export interface Happened {
  readonly fault: Fault;
  readonly atMs: number;
  /** When it was over. */
  readonly untilMs: number;
}

const steps = ['open', 'half_open', 'ramp', 'closed'] as const;

/** Draws the faults of one run and plans them; what will have happened. */
export function planFaults(world: FleetWorld, random: Random, fromMs: number, toMs: number): Happened[] {
  const count = 1 + Math.floor(random.next() * 3);
  return Array.from({ length: count }, () => {
    const fault = faults[Math.floor(random.next() * faults.length)]!;
    const atMs = fromMs + (toMs - fromMs) * random.next();
    return { fault, atMs, untilMs: atMs + plan(world, fault, atMs, random) };
  });
}

/** How long it lasts, at most. */
function plan(world: FleetWorld, fault: Fault, atMs: number, random: Random): number {
  const draw = random.next();
  switch (fault) {
    case 'kill at step': {
      const step = steps[Math.floor(draw * steps.length)]!;
      world.at(atMs, () => killAtStep(world, step));
      return 6000;
    }
    case 'kill':
      world.at(atMs, () => world.killLeader());
      return 4000;
    case 'stall':
      world.at(atMs, () => {
        const leader = world.leader();
        if (leader) leader.stalledUntilMs = world.nowMs + 3000 * draw;
      });
      return 3000 * draw + 2500;
    case 'election':
      world.at(atMs, () => {
        world.store.isUp = false;
      });
      world.at(atMs + 4000 + 5000 * draw, () => {
        world.store.isUp = true;
      });
      return 4000 + 5000 * draw + 1500;
    case 'wipe':
      world.at(atMs, () => world.store.wipe(world.nowMs));
      return 2500;
    case 'split':
      return split(world, atMs, 1000 + 6000 * draw, random);
    case 'no NATS':
      return partition(world, atMs, 1000 + 6000 * draw, () => cutOff);
    case 'restart':
      world.at(atMs, () => world.restartCaller(Math.floor(draw * world.callers.length)));
      return 1000;
  }
}

/** The verdict of this step is the last thing that its leader decides; whether it still gets out is chance. */
function killAtStep(world: FleetWorld, step: string): void {
  const isHeard = world.random.next() < 0.5;
  world.onSay = (state, by) => {
    if (state !== step || world.leader()?.id !== by) return;
    world.onSay = undefined;
    if (!isHeard) world.network.move(by, cutOff);
    world.killLeader();
  };
}

/** Some callers and control planes are with the store, the others with each other. */
function split(world: FleetWorld, atMs: number, lastsMs: number, random: Random): number {
  return partition(world, atMs, lastsMs, () => (random.next() < 0.4 ? 1 : 0));
}

function partition(world: FleetWorld, atMs: number, lastsMs: number, sideOf: () => number): number {
  const nodes = [...world.callers, ...world.controls].map(({ id }) => id);
  world.at(atMs, () => {
    for (const id of nodes) world.network.move(id, sideOf());
  });
  world.at(atMs + lastsMs, () => {
    for (const id of nodes) world.network.move(id, 0);
  });
  return lastsMs + 2000;
}
