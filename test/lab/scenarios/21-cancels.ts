/**
 * 21: a good client whose deadlines pass 5,000 times a second, on a route that hangs. Its connection must stay, and its
 * other requests must be answered. That the engine's guard takes no offence is the live rig's part and
 * test/integration/good-citizens.test.ts; here it is the policies that must not confuse cancels with overload.
 */
import { success } from '../metrics.ts';
import type { Scenario } from '../scenario.ts';
import { capacityRps, serviceName } from './standard.ts';

const warmUpMs = 3000;
const durations = { full: 20_000, short: 8000 };
const hanging = '/lab.Service/Hangs';

export const cancels: Scenario = {
  id: 21,
  title: '5,000 deadline cancels a second from a good client',
  cases: (size) => [
    {
      name: 'cancels',
      experiment: {
        durationMs: durations[size],
        services: [
          {
            name: serviceName,
            replicas: [
              {
                workers: 200,
                serviceMs: 10,
                service: 'exponential',
                heedsCancel: true,
                routes: [{ path: hanging, serviceMs: 1000 }],
              },
            ],
          },
        ],
        callers: [
          { name: 'good', service: serviceName, timeoutMs: 200, load: [{ fromMs: 0, rps: capacityRps / 2 }] },
          {
            name: 'cancelling',
            service: serviceName,
            timeoutMs: 20,
            load: [{ fromMs: 0, rps: 5000 }],
            kinds: [{ path: hanging }],
          },
        ],
      },
    },
  ],
  metrics: [
    {
      name: 'its other requests answered',
      unit: '%',
      target: { atLeast: 0.95 },
      of: (found) => success(found.get('cancels')!.caller('good'), warmUpMs, found.get('cancels')!.durationMs),
    },
  ],
  baselines: ['nothing', 'fixed', 'gradient2'],
  // Routes of very different latency get limits of their own, and this app stops work that is cancelled.
  additions: {
    [serviceName]: [{}, { abandonAfter: '0s' }].map((heedful) => ({
      routes: [
        {
          name: 'hangs',
          match: { path: { exact: hanging } },
          inbound: { concurrency: { fixed: { limit: 150, ...heedful } } },
        },
      ],
    })),
  },
};
