/**
 * 16: ten instances share 1,000 requests a second, of twenty that there may be. How much of it they use while the demand is
 * steady and while it moves, and whether they ever admit more than rate·w + Σburst in any time w: also when the leader is
 * killed, when a half is cut off, and when ten more instances start while there is no NATS.
 *
 * Beside it a fixed twentieth or tenth for each, which is what one writes into a policy without a control plane.
 */

import { rateLimitWithDefaults } from '../../../../proto/policy/defaults-rate-limits.ts';
import { type FleetLimit, fleetLimitOf } from '../../../../proto/policy/fleet-limits.ts';
import type { FleetShareSpec } from '../../../../proto/policy/schema-fleet-limits.ts';
import type { Size } from '../../scenario.ts';
import { diceOf } from '../../sim/dice.ts';
import type { FleetScenario, Measure } from '../fleet-scenario.ts';
import {
  type Cut,
  goodNetwork,
  mostBeyond,
  type NetworkFaults,
  QuotaFleet,
  stepMs,
  takeoverMs,
} from '../quota-fleet.ts';

const rate = 1000;
const instances = 10;
const instancesMax = 20;
/** What is asked for, of the rate: always more than there is, so that whatever is not used is lost. */
const wanted = 1.2;
/** One instance gets most of the demand, and every so often another. */
const hotShare = 0.85;
const moveMs = 5000;
const beginMs = 3000;
const lossy: NetworkFaults = { ...goodNetwork, lossShare: 0.02, doubledShare: 0.02, delayMsMax: 50 };

function limitWith(change: Partial<FleetShareSpec> = {}): FleetLimit {
  const fleet = { instancesMax, ...change };
  const limit = fleetLimitOf(rateLimitWithDefaults({ name: 'total', scope: 'fleet', rate: `${rate}/s`, fleet }));
  if (limit === null) throw new Error('a limit of scope fleet has no share');
  return limit;
}

/** Some get three times as much as others. */
const steady = (instance: number): number => (wanted * rate * (1 + (instance % 3))) / 19;

function moving(instance: number, atMs: number): number {
  const hot = (Math.floor(atMs / moveMs) * 3) % instances;
  return wanted * rate * (instance === hot ? hotShare : (1 - hotShare) / (instances - 1));
}

interface World {
  readonly seed: number;
  readonly demand?: (instance: number, atMs: number) => number;
  readonly limit?: FleetLimit;
  readonly network?: NetworkFaults;
  readonly cuts?: readonly Cut[];
}

/** Ten instances that have shared for a while. */
function begun({ seed, demand = steady, limit = limitWith(), network = goodNetwork, cuts = [] }: World): QuotaFleet {
  const fleet = new QuotaFleet({ limit, random: diceOf(seed, 'quota'), network, controlPlanes: 2, demand, cuts });
  for (let i = 0; i < instances; i++) fleet.startInstance(i);
  fleet.lead(0);
  fleet.runFor(beginMs - fleet.nowMs);
  return fleet;
}

interface Outcome {
  /** Of what the rate would have allowed, or was asked for. */
  readonly used: number;
  /** The most beyond rate·w in any w, of Σburst. */
  readonly beyond: number;
  readonly overshoot: number;
  /** The most that all held at one moment, of the rate. */
  readonly held: number;
}

function outcomeOf(fleet: QuotaFleet, fromMs: number, limit = limitWith()): Outcome {
  const from = Math.round((fromMs - fleet.beganAtMs) / stepMs);
  const sum = (counts: readonly number[]): number => counts.slice(from).reduce((total, count) => total + count, 0);
  const possible = (rate * (fleet.nowMs - fromMs)) / 1000;
  const bursts = limit.chunks ? 1.15 * rate : limit.burst + instancesMax * limit.costMax;
  return {
    used: sum(fleet.admitted) / Math.min(possible, sum(fleet.demanded)),
    beyond: mostBeyond(fleet.admitted, rate) / bursts,
    overshoot: sum(fleet.admitted) / possible - 1,
    held: fleet.mostHeld / rate,
  };
}

function undisturbed(world: World, forMs: number): Outcome {
  const fleet = begun(world);
  fleet.runFor(forMs);
  return outcomeOf(fleet, beginMs, world.limit);
}

/** The one that leads is killed; the next has listened, or has just been started. */
function leaderKilled(world: World, isFresh: boolean): Outcome {
  const fleet = begun(world);
  fleet.stopControlPlane(0);
  fleet.runFor(takeoverMs);
  if (isFresh) fleet.startControlPlane(1);
  fleet.lead(1);
  fleet.runFor(10_000 - takeoverMs);
  return outcomeOf(fleet, beginMs, world.limit);
}

const everyone = new Set([0, 1]);

function halfCutOff(world: World): Outcome {
  const away = new Set(Array.from({ length: instances / 2 }, (_, i) => i));
  const fleet = begun({ ...world, cuts: [{ fromMs: beginMs, toMs: beginMs + 8000, instances: away, from: everyone }] });
  fleet.runFor(12_000);
  return outcomeOf(fleet, beginMs, world.limit);
}

/** All are cut off, ten more are started, and all come back. */
function scaledOutWithoutNats(world: World): Outcome {
  const all = new Set(Array.from({ length: instancesMax }, (_, i) => i));
  const cuts = [{ fromMs: beginMs, toMs: beginMs + 6000, instances: all, from: everyone }];
  const fleet = begun({ ...world, demand: (i, atMs) => (i < instances ? steady(i) : moving(i % 10, atMs)), cuts });
  fleet.runFor(1500);
  for (let i = instances; i < instancesMax; i++) fleet.startInstance(i);
  fleet.runFor(4500);
  const alone = outcomeOf(fleet, beginMs + 1500, world.limit);
  fleet.runFor(3000);
  return { ...alone, beyond: outcomeOf(fleet, beginMs, world.limit).beyond };
}

/** A fixed part of the rate for each: what can be used of it while the demand moves, over a whole round. */
function fixedShares(parts: number): number {
  let used = 0;
  for (let i = 0; i < instances; i++) used += Math.min(moving(i, 0), rate / parts);
  return used / rate;
}

const worst = (values: readonly number[]): number => Math.max(...values);
const least = (values: readonly number[]): number => Math.min(...values);

export const quotaScenario: FleetScenario = {
  id: 16,
  title: 'a quota shared by ten instances of twenty that may be',
  measure(size: Size, progress: (step: string) => void): Measure[] {
    const seeds = Array.from({ length: size === 'full' ? 5 : 1 }, (_, i) => i + 1);
    const forMs = size === 'full' ? 30_000 : 10_000;
    const over = (name: string, run: (seed: number) => Outcome): readonly Outcome[] => {
      progress(name);
      return seeds.map(run);
    };
    const chunks = limitWith({ allotment: 'chunks' });
    const open = limitWith({ withoutControlPlane: 'open' });
    const runs = {
      steady: over('steady', (seed) => undisturbed({ seed }, forMs)),
      moving: over('moving', (seed) => undisturbed({ seed, demand: moving }, forMs)),
      lossy: over('moving, lossy', (seed) => undisturbed({ seed, demand: moving, network: lossy }, forMs)),
      killed: over('leader killed', (seed) => leaderKilled({ seed }, false)),
      fresh: over('leader killed, another started', (seed) => leaderKilled({ seed }, true)),
      cut: over('half cut off', (seed) => halfCutOff({ seed })),
      scaled: over('scaled out without NATS', (seed) => scaledOutWithoutNats({ seed })),
      chunks: over('chunks', (seed) => undisturbed({ seed, demand: moving, limit: chunks }, forMs)),
      open: over('open', (seed) => scaledOutWithoutNats({ seed, limit: open })),
    };
    const used = (name: keyof typeof runs): number => least(runs[name].map((one) => one.used));
    const beyond = (name: keyof typeof runs): number => worst(runs[name].map((one) => one.beyond));
    const share = (name: string, value: number, target: Measure['target'] = null): Measure => ({
      name,
      unit: '%',
      target,
      value,
    });
    const within = { atMost: 1 };
    return [
      share('used, steady', used('steady'), { atLeast: 0.94 }),
      share('used, moving every 5 s', used('moving'), { atLeast: 0.9 }),
      share('used, moving, 2 % lost', used('lossy')),
      share('used, moving, a tenth fixed for each', fixedShares(instances)),
      share('used, 10 s from the death of the leader', used('killed')),
      share('used, the same, the next one knows nothing', used('fresh')),
      share('used, half cut off for 8 of 12 s', used('cut')),
      share('used, scaled out without NATS', used('scaled')),
      share(
        'beyond rate·w, of Σburst: undisturbed',
        Math.max(beyond('steady'), beyond('moving'), beyond('lossy')),
        within,
      ),
      share('… leader killed', Math.max(beyond('killed'), beyond('fresh')), within),
      share('… half cut off', beyond('cut'), within),
      share('… scaled out without NATS', beyond('scaled'), within),
      share(
        'held at one moment, of the rate: in all of these',
        worst(
          [
            ...runs.steady,
            ...runs.moving,
            ...runs.lossy,
            ...runs.killed,
            ...runs.fresh,
            ...runs.cut,
            ...runs.scaled,
          ].map((one) => one.held),
        ),
        { atMost: 1 + 1e-9 },
      ),
      share('chunks: used, moving every 5 s', used('chunks')),
      share('chunks: beyond rate·w, of 1.15 s', beyond('chunks'), within),
      share('open: overshoot, scaled out without NATS', worst(runs.open.map((one) => one.overshoot))),
    ];
  },
};
