/**
 * From a spec to settings: units become numbers, unions become small tagged values, and what is not there becomes 0 or
 * null. No objects with state are made here; swap.ts does that, because which of the living ones can stay is decided
 * by comparing these settings.
 */

import { assert } from '../../proto/kernel/assert.ts';
import { parseDuration } from '../../proto/kernel/duration.ts';
import { parseSize } from '../../proto/kernel/size.ts';
import {
  defaultConnectTimeout,
  type EffectiveBreaker,
  type EffectiveHealthCheck,
  type EffectiveRateLimit,
  withDefaults,
} from '../../proto/policy/defaults.ts';
import { parseRate } from '../../proto/policy/rate.ts';
import type { FlowControlSpec, KeySpec, PaceSpec, PolicySpec } from '../../proto/policy/schema.ts';
import type { AdmissionSettings } from '../admission/admission.ts';
import type { BreakerSettings } from '../resilience/breaker.ts';
import type { HealthCheckSettings, HealthProbe } from '../resilience/health.ts';
import type { FlowSettings, PaceSettings, RateLimitKey } from './compiled.ts';

export interface RateLimitSettings {
  readonly name: string;
  readonly key: RateLimitKey;
  readonly ratePerSecond: number;
  readonly burst: number;
  /** 0 without a key. */
  readonly keysMax: number;
}

export interface InboundSettings {
  readonly shadow: boolean;
  readonly rateLimits: readonly RateLimitSettings[];
  readonly admission: AdmissionSettings | null;
  readonly concurrencyLimit: number;
  readonly deadlineDefaultMs: number;
  readonly deadlineMaxMs: number;
  readonly flow: FlowSettings | null;
}

export interface OutboundSettings {
  readonly shadow: boolean;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly breaker: BreakerSettings | null;
  readonly fleetBreaker: boolean;
  readonly healthCheck: HealthCheckSettings | null;
}

export interface PolicySettings {
  readonly inbound: InboundSettings;
  readonly outbound: OutboundSettings;
}

/** A limit that is never reached; requests are counted all the same. */
export const unlimited: AdmissionSettings = { limit: Number.MAX_SAFE_INTEGER, queue: null };

/** A probe of a target without a timeout is given up after this. */
const probeTimeoutDefaultMs = 10_000;

/** What is in force where no policy is, or a disabled one. A connection attempt still has to end. */
export const passThroughSettings: PolicySettings = {
  inbound: {
    shadow: false,
    rateLimits: [],
    admission: null,
    concurrencyLimit: 0,
    deadlineDefaultMs: 0,
    deadlineMaxMs: 0,
    flow: null,
  },
  outbound: {
    shadow: false,
    timeoutMs: 0,
    connectTimeoutMs: milliseconds(defaultConnectTimeout),
    breaker: null,
    fleetBreaker: false,
    healthCheck: null,
  },
};

/** Takes a spec that has passed parsing; with or without defaults. */
export function compile(spec: PolicySpec | null): PolicySettings {
  if (spec === null || spec.enforcement === 'disabled') return passThroughSettings;
  const { enforcement, inbound, outbound } = withDefaults(spec);
  const shadow = enforcement === 'shadow';
  const limit = inbound.concurrency?.fixed?.limit ?? 0;
  const queue = inbound.queue && {
    requestsMax: inbound.queue.requestsMax,
    bytesMax: bytes(inbound.queue.bytesMax),
    waitMaxMs: milliseconds(inbound.queue.waitMax),
  };
  const timeoutMs = milliseconds(outbound.timeout);
  const breaker = outbound.circuitBreaker;
  return {
    inbound: {
      shadow,
      rateLimits: inbound.rateLimits.map(rateLimitSettings),
      admission: limit === 0 ? null : shadow ? unlimited : { limit, queue: queue ?? null },
      concurrencyLimit: limit,
      deadlineDefaultMs: milliseconds(inbound.deadline?.default),
      deadlineMaxMs: milliseconds(inbound.deadline?.max),
      flow: inbound.flowControl && !shadow ? flowSettings(inbound.flowControl) : null,
    },
    outbound: {
      shadow,
      timeoutMs,
      connectTimeoutMs: milliseconds(outbound.connectTimeout),
      breaker: breaker ? breakerSettings(breaker, timeoutMs) : null,
      fleetBreaker: breaker?.fleet.enabled ?? false,
      healthCheck: outbound.healthCheck && !shadow ? healthCheckSettings(outbound.healthCheck) : null,
    },
  };
}

function rateLimitSettings(limit: EffectiveRateLimit): RateLimitSettings {
  const ratePerSecond = parseRate(limit.rate);
  assert(ratePerSecond !== undefined && ratePerSecond > 0, `not a rate: ${limit.rate}`);
  return {
    name: limit.name,
    key: keyOf(limit.key),
    ratePerSecond,
    burst: limit.burst,
    keysMax: limit.keysMax ?? 0,
  };
}

/** Flow control slows down and refuses nothing, so in shadow there is nothing to count: it is off. */
function flowSettings(flow: FlowControlSpec): FlowSettings {
  return {
    windowBytesMax: flow.windowMax === undefined ? 0 : bytes(flow.windowMax),
    stallTimeoutMs: milliseconds(flow.stallTimeout),
    requestPace: paceSettings(flow.requestPace),
    responsePace: paceSettings(flow.responsePace),
  };
}

function paceSettings(pace: PaceSpec | undefined): PaceSettings | null {
  if (pace === undefined) return null;
  const messages = pace.messages === undefined ? 0 : parseRate(pace.messages);
  assert(messages !== undefined, `not a rate: ${pace.messages}`);
  return {
    bytesPerSecond: pace.bytesPerSecond === undefined ? 0 : bytes(pace.bytesPerSecond),
    messagesPerSecond: messages,
  };
}

function keyOf(key: KeySpec | undefined): RateLimitKey {
  if (key?.header !== undefined) return { kind: 'header', header: key.header.toLowerCase() };
  if (key?.address) return { kind: 'address' };
  if (key?.method) return { kind: 'method' };
  if (key?.path) return { kind: 'path' };
  return { kind: 'none' };
}

function breakerSettings(breaker: EffectiveBreaker, timeoutMs: number): BreakerSettings {
  const ratio = breaker.failureRatio;
  return {
    consecutiveFailures: breaker.consecutiveFailures ?? 0,
    failureRatio: ratio
      ? { percent: ratio.percent, minRequests: ratio.minRequests, windowMs: milliseconds(ratio.window) }
      : null,
    openForMs: milliseconds(breaker.openFor),
    openForMaxMs: milliseconds(breaker.openForMax),
    probes: breaker.halfOpen.probes,
    probeTimeoutMs: timeoutMs > 0 ? timeoutMs : probeTimeoutDefaultMs,
  };
}

function healthCheckSettings(check: EffectiveHealthCheck): HealthCheckSettings {
  return {
    probe: probeOf(check.probe),
    intervalMs: milliseconds(check.interval),
    timeoutMs: milliseconds(check.timeout),
    unhealthyAfter: check.unhealthyAfter,
    healthyAfter: check.healthyAfter,
  };
}

function probeOf({ grpc, http }: EffectiveHealthCheck['probe']): HealthProbe {
  if (http === undefined) return { kind: 'grpc', service: grpc?.service ?? '' };
  const { path, expectedStatuses = [], protocol } = http;
  return { kind: 'http', path, statuses: expectedStatuses, protocol: protocol === 'http2' ? 'http2' : 'http1' };
}

function milliseconds(text: string | undefined): number {
  if (text === undefined) return 0;
  const durationMs = parseDuration(text);
  assert(durationMs !== undefined, `not a duration: ${text}`);
  return durationMs;
}

function bytes(text: string): number {
  const size = parseSize(text);
  assert(size !== undefined, `not a size: ${text}`);
  return size;
}
