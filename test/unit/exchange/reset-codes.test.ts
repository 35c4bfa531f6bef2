/**
 * Which code the other side of the proxy sees.
 */
import { describe, expect, test } from 'vitest';
import { resetTowardCaller, resetTowardUpstream } from '../../../sidecar/exchange/reset-codes.ts';
import { ErrorCode } from '../../../sidecar/http2/constants.ts';
import { ResetCause } from '../../../sidecar/http2/stream.ts';

const codes = Object.values(ErrorCode);
const changed = (map: (code: number) => number): [number, number][] =>
  codes.map((code): [number, number] => [code, map(code)]).filter(([, to]) => to !== ErrorCode.internalError);

describe('A reset', () => {
  test('toward the caller passes only codes that no client takes for an end', () => {
    const { peer } = ResetCause;
    expect(changed((code) => resetTowardCaller(code, peer, false))).toEqual([
      [ErrorCode.enhanceYourCalm, ErrorCode.enhanceYourCalm],
    ]);
    expect(changed((code) => resetTowardCaller(code, peer, true))).toEqual([
      [ErrorCode.cancel, ErrorCode.cancel],
      [ErrorCode.enhanceYourCalm, ErrorCode.enhanceYourCalm],
    ]);
  });

  test('toward the caller is INTERNAL_ERROR when it is not the upstream that asked for it', () => {
    for (const cause of [ResetCause.connection, ResetCause.protocol, ResetCause.unprocessed]) {
      expect(changed((code) => resetTowardCaller(code, cause, true))).toEqual([]);
    }
  });

  test('toward the upstream passes what is meant end to end, and turns NO_ERROR into CANCEL', () => {
    expect(changed(resetTowardUpstream)).toEqual([
      [ErrorCode.noError, ErrorCode.cancel],
      [ErrorCode.refusedStream, ErrorCode.refusedStream],
      [ErrorCode.cancel, ErrorCode.cancel],
      [ErrorCode.enhanceYourCalm, ErrorCode.enhanceYourCalm],
    ]);
  });
});
