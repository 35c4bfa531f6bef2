/** How a service's endpoints are chosen among, and what takes one out. Of the service as a whole: routes share endpoints. */
import type { BreakerSettings } from '../resilience/breaker-settings.ts';
import type { OutlierSettings } from '../resilience/outlier-settings.ts';
import { type BalancerSettings, defaultBalancer } from './balancer.ts';
import { noSlowStart, type SlowStartSettings } from './slow-start.ts';

export interface EndpointSettings {
  readonly balancer: BalancerSettings;
  readonly slowStart: SlowStartSettings;
  /** null = nobody is ejected. */
  readonly outliers: OutlierSettings | null;
  /** Of each endpoint; null = they have none. */
  readonly breaker: BreakerSettings | null;
  /** Breakers decide and refuse nobody; outliers are found and not ejected. */
  readonly shadow: boolean;
}

export const defaultEndpointSettings: EndpointSettings = {
  balancer: defaultBalancer,
  slowStart: noSlowStart,
  outliers: null,
  breaker: null,
  shadow: false,
};
