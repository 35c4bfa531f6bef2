/** The series that autoscalers go by: bounded in number, and absent where nothing is known. */
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import {
  defineScalingMetrics,
  type ScaledFleet,
  scaledServicesMax,
  scalingFacts,
} from '../../../control-plane/api/scaling-metrics.ts';
import type { ScalingView } from '../../../proto/api.ts';

const fleetOf = (services: readonly string[], wanted: number | null): ScaledFleet => {
  const view: ScalingView = { wanted, demand: 12, targetConcurrency: 7, bottleneck: 'service', explanation: '' };
  return { view: { services: () => [...services] }, scaling: () => view };
};

async function linesOf(fleet: ScaledFleet): Promise<string[]> {
  const registry = new Registry();
  defineScalingMetrics(registry, () => scalingFacts(fleet));
  return (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

it('a service has three series', async () => {
  expect(await linesOf(fleetOf(['shop/a'], 2))).toEqual([
    'weir_scaling_wanted_instances{namespace="shop",service="a"} 2',
    'weir_scaling_demand{namespace="shop",service="a"} 12',
    'weir_scaling_bottleneck{namespace="shop",service="a"} 0',
  ]);
});

it('one of which nothing is known has none', async () => {
  expect(await linesOf(fleetOf(['shop/a'], null))).toEqual([]);
});

it('the services beyond the bound have none, and the rest are the same at every scrape', async () => {
  const services = Array.from({ length: scaledServicesMax + 20 }, (_, i) => `shop/s${String(i).padStart(4, '0')}`);
  const lines = await linesOf(fleetOf(services.toReversed(), 2));
  expect(lines.length).toBe(3 * scaledServicesMax);
  expect(lines.some((line) => line.includes(`"s0${scaledServicesMax}"`))).toBe(false);
  expect(lines.some((line) => line.includes('"s0000"'))).toBe(true);
});
