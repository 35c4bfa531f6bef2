/** Fallbacks with nothing left open. */
import type { FallbackSpec, StaleSpec, StaticAnswerSpec } from './schema-fallback.ts';

const defaultConditions: NonNullable<FallbackSpec['on']> = ['breakerOpen', 'noEndpoints', 'refused', 'failed'];
const defaultStale = { maxAge: '5m', entriesMax: 1000, bytesMax: '8MiB', answerBytesMax: '64KiB' };

export interface EffectiveFallback {
  on: NonNullable<FallbackSpec['on']>;
  service?: string;
  stale?: typeof defaultStale & { grpcMethods: NonNullable<StaleSpec['grpcMethods']> };
  static?: StaticAnswerSpec;
}

export function fallbackWithDefaults(fallback: FallbackSpec): EffectiveFallback {
  const { http, grpc } = fallback.static ?? {};
  return {
    on: fallback.on ?? [...defaultConditions],
    ...(fallback.service !== undefined && { service: fallback.service }),
    ...(fallback.stale && {
      stale: { ...defaultStale, ...fallback.stale, grpcMethods: fallback.stale.grpcMethods ?? [] },
    }),
    ...(fallback.static && {
      static: {
        ...(http && { http: { ...http, status: http.status ?? 200 } }),
        ...(grpc && { grpc: { ...grpc, status: grpc.status ?? 0 } }),
      },
    }),
  };
}
