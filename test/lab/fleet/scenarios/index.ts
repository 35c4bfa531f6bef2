/** The scenarios of the table that are about the fleet; in simulated time only, since they need hundreds of sidecars. */
import type { FleetScenario } from '../fleet-scenario.ts';
import { fleetOutage } from './12-outage.ts';
import { faultyCallers } from './13-faulty-callers.ts';
import { leaderLoss } from './14-leader-loss.ts';
import { coldRestart } from './15-cold-restart.ts';
import { quotaScenario } from './16-quota.ts';

export const fleetScenarios: readonly FleetScenario[] = [
  fleetOutage,
  faultyCallers,
  leaderLoss,
  coldRestart,
  quotaScenario,
];
