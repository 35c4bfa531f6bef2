/**
 * What the sides keep of a request while it is under way: how important it is, what was taken for it and has to be given
 * back, and by what it was judged. The exchange makes sure of the rest; a side reads and writes these.
 */
import { Timer } from '../../proto/kernel/timer-wheel.ts';
import { Tier } from '../../proto/tiers.ts';
import type { Admission } from '../admission/admission.ts';
import type { LevelControl } from '../admission/level-control.ts';
import { HeaderList } from '../http2/hpack/field.ts';
import type { Fallback, FlowSettings } from '../policy/compiled.ts';
import type { RateLimitSignal } from '../policy/rate-limit-signals.ts';
import type { RouteCounts } from '../policy/route-counts.ts';
import type { Breaker } from '../resilience/breaker.ts';
import { defaultClassifier } from '../resilience/classifier.ts';
import type { ClientThrottle } from '../resilience/client-throttle.ts';
import { CallWatch } from '../resilience/overdue-calls.ts';
import type { RetryPolicy } from '../resilience/retry-policy.ts';
import type { StoredLevel } from '../resilience/stored-level.ts';
import { Protocol } from './http-stream.ts';
import type { LoadMeter } from './load-meter.ts';
import type { Parking } from './parking.ts';
import type { Peer } from './peer.ts';
import { heldContentMax } from './replay.ts';
import type { Target } from './targets.ts';
import type { TrafficStats } from './traffic-stats.ts';
import type { Turn } from './turn.ts';

/** What an idle one has. */
const noHead = HeaderList.of([]);

export abstract class RequestState extends Timer {
  head: HeaderList;
  protocol: number = Protocol.http2;
  peerAddress = '';
  peerIdentity = '';
  startedMs = 0;
  endedMs = 0;
  /** What this request may make us hold while it waits: its head, and a window of content still to come. */
  bytes = 0;
  queueSlot = -1;
  status = 0;
  grpcStatus = '';
  retryPolicy: RetryPolicy | null = null;
  tier: number = Tier.normal;
  userLevel = 0;
  tenant = '';
  isEssential = true;
  isFromMesh = false;
  isRetry = false;
  standsFor = 1;
  isLinked = false;
  carries = false;
  load: LoadMeter | null = null;
  hearsLoad = false;
  levels: LevelControl | null = null;
  passedLevelMs = -1;
  storedLevel: StoredLevel | null = null;
  throttle: ClientThrottle | null = null;
  throttleTier: number = Tier.normal;
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
  watched = CallWatch.none;

  constructor(head: HeaderList) {
    super();
    this.head = head;
  }

  protected arrive(endStream: boolean, protocol: number, peer: Peer, nowMs: number): void {
    const { head } = this;
    this.protocol = protocol;
    this.peerAddress = peer.address;
    this.peerIdentity = peer.identity;
    this.startedMs = nowMs;
    this.endedMs = endStream ? nowMs : -1;
    this.bytes = head.bytes + (endStream ? 0 : heldContentMax(head.contentLength));
  }

  /** As it was made. `test/unit/exchange/recycling.test.ts` holds this against the fields above. */
  protected clear(): void {
    this.head = noHead;
    this.queueSlot = -1;
    this.status = 0;
    this.grpcStatus = '';
    this.retryPolicy = null;
    this.tier = Tier.normal;
    this.userLevel = 0;
    this.tenant = '';
    this.isEssential = true;
    this.isFromMesh = false;
    this.isRetry = false;
    this.standsFor = 1;
    this.isLinked = false;
    this.carries = false;
    this.load = null;
    this.hearsLoad = false;
    this.levels = null;
    this.passedLevelMs = -1;
    this.storedLevel = null;
    this.throttle = null;
    this.throttleTier = Tier.normal;
    this.deadlineMs = 0;
    this.shadowDeadlineMs = 0;
    this.shadowConnectTimeoutMs = 0;
    this.timeoutHeader = '';
    this.connectTimeoutMs = 1000;
    this.classifier = defaultClassifier;
    this.retryAfterMs = 0;
    this.limitSignal = null;
    this.turn = null;
    this.traffic = null;
    this.counts = null;
    this.admission = null;
    this.fallback = null;
    this.parking = null;
    this.fallbackKind = -1;
    this.flow = null;
    this.holdsPermit = false;
    this.admittedMs = 0;
    this.isStream = false;
    this.target = null;
    this.breaker = null;
    this.isProbe = false;
    this.generation = 0;
    this.watched = CallWatch.none;
  }
}
