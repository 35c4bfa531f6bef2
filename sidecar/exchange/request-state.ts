/**
 * What the sides keep of a request while it is under way: how important it is, what was taken for it and has to be given
 * back, and by what it was judged. The exchange makes sure of the rest; a side reads and writes these.
 */
import { Timer } from '../../proto/kernel/timer-wheel.ts';
import { Tier } from '../../proto/tiers.ts';
import type { Admission } from '../admission/admission.ts';
import type { LevelControl } from '../admission/level-control.ts';
import type { Fallback, FlowSettings } from '../policy/compiled.ts';
import type { RateLimitSignal } from '../policy/rate-limit-signals.ts';
import type { RouteCounts } from '../policy/route-counts.ts';
import type { Breaker } from '../resilience/breaker.ts';
import { defaultClassifier } from '../resilience/classifier.ts';
import type { ClientThrottle } from '../resilience/client-throttle.ts';
import type { StoredLevel } from '../resilience/stored-level.ts';
import type { Parking } from './parking.ts';
import type { Target } from './targets.ts';
import type { TrafficStats } from './traffic-stats.ts';
import type { Turn } from './turn.ts';

export abstract class RequestState extends Timer {
  tier: number = Tier.normal;
  userLevel = 0;
  tenant = '';
  isEssential = true;
  isFromMesh = false;
  standsFor = 1;
  isLinked = false;
  carries = false;
  levels: LevelControl | null = null;
  passedLevelMs = -1;
  storedLevel: StoredLevel | null = null;
  throttle: ClientThrottle | null = null;
  deadlineMs = 0;
  shadowDeadlineMs = 0;
  timeoutHeader = '';
  connectTimeoutMs = 1000;
  shadowConnectTimeoutMs = 0;
  classifier = defaultClassifier;
  retryAfterMs = 0;
  limitSignal: RateLimitSignal | null = null;
  turn: Turn | null = null;
  traffic: TrafficStats | null = null;
  counts: RouteCounts | null = null;
  admission: Admission | null = null;
  fallback: Fallback | null = null;
  parking: Parking | null = null;
  fallbackKind = -1;
  flow: FlowSettings | null = null;
  holdsPermit = false;
  admittedMs = 0;
  isStream = false;
  target: Target | null = null;
  breaker: Breaker | null = null;
  isProbe = false;
  generation = 0;
}
