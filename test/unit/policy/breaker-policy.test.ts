/** The circuit breaker of a policy: its defaults, what it compiles to, and what is refused. */
import { describe, expect, it } from 'vitest';
import { withDefaults } from '../../../proto/policy/defaults.ts';
import { parsePolicyDocument } from '../../../proto/policy/parse.ts';
import type { OutboundSpec } from '../../../proto/policy/schema.ts';
import { compile } from '../../../sidecar/policy/compile.ts';
import { policyWith } from './documents.ts';

const spec = (outbound: OutboundSpec) => ({ target: { service: 'payments' }, outbound });
const defaultsOf = (outbound: OutboundSpec) => withDefaults(spec(outbound)).outbound.circuitBreaker;
const settingsOf = (outbound: OutboundSpec) => compile(spec(outbound)).outbound.breaker;

function errorsOf(circuitBreaker: object, timeout = '1s'): string[] {
  const result = parsePolicyDocument(policyWith({ outbound: { timeout, circuitBreaker } }));
  return result.ok ? [] : result.errors.map(({ pointer, message }) => `${pointer}: ${message}`);
}

describe('circuitBreaker', () => {
  it('opens on slow requests by default where a timeout says what slow is: half of it', () => {
    expect(defaultsOf({ circuitBreaker: {} })?.slowCalls).toBeUndefined();
    expect(defaultsOf({ timeout: '500ms', circuitBreaker: {} })?.slowCalls).toEqual({
      slowerThan: '250ms',
      percent: 50,
      minRequests: 10,
      window: '2s',
    });
    expect(defaultsOf({ timeout: '1ms', circuitBreaker: { slowCalls: {} } })?.slowCalls?.slowerThan).toBe('1ms');
    expect(defaultsOf({ circuitBreaker: { slowCalls: {} } })?.slowCalls?.slowerThan).toBe('1s');
    expect(defaultsOf({ timeout: '1s', circuitBreaker: { consecutiveFailures: 3 } })?.slowCalls).toBeUndefined();
  });

  it('takes the timeout of the service for what is slow in a route that has none of its own', () => {
    const match = { path: { exact: '/a' } };
    const slowIn = (outbound: OutboundSpec): unknown => {
      const routes = [{ name: 'a', match, outbound: { ...outbound, circuitBreaker: {} } }];
      const { routes: filled } = withDefaults({ ...spec({ timeout: '1s' }), routes });
      return [filled?.[0]?.outbound.circuitBreaker?.slowCalls?.slowerThan, filled?.[0]?.outbound.timeout];
    };
    expect([slowIn({}), slowIn({ timeout: '300ms' })]).toEqual([
      ['500ms', undefined],
      ['150ms', '300ms'],
    ]);
  });

  it('counts by number when it is told how many, and then asks for no more than the window holds', () => {
    expect(defaultsOf({ circuitBreaker: { failureRatio: { windowRequests: 10 } } })?.failureRatio).toEqual({
      percent: 50,
      minRequests: 10,
      windowRequests: 10,
    });
    expect(settingsOf({ circuitBreaker: { failureRatio: { windowRequests: 50, percent: 30 } } })?.failureRatio).toEqual(
      {
        percent: 30,
        minRequests: 20,
        windowMs: 0,
        windowRequests: 50,
      },
    );
  });

  it('compiles slow calls to milliseconds, the same with and without defaults written out', () => {
    const outbound = { timeout: '2s', circuitBreaker: { slowCalls: { slowerThan: '100ms', window: '5s' } } };
    expect(settingsOf(outbound)?.slowCalls).toEqual({
      slowerThanMs: 100,
      percent: 50,
      minRequests: 10,
      windowMs: 5000,
      windowRequests: 0,
    });
    expect(compile(withDefaults(spec(outbound)))).toEqual(compile(spec(outbound)));
  });

  it('refuses two kinds of window at once, and conditions that can never be met', () => {
    const at = '/spec/outbound/circuitBreaker';
    expect(errorsOf({ failureRatio: { window: '1s', windowRequests: 100 } })).toEqual([
      `${at}/failureRatio/windowRequests: window and windowRequests are two ways to say which requests count`,
    ]);
    expect(errorsOf({ slowCalls: { minRequests: 30, windowRequests: 20 } })).toEqual([
      `${at}/slowCalls/minRequests: minRequests 30 is more than windowRequests 20 ever holds`,
    ]);
    expect(errorsOf({ slowCalls: { slowerThan: '2s' } })).toEqual([
      `${at}/slowCalls/slowerThan: slowerThan "2s" is longer than outbound.timeout "1s": nothing is ever slow`,
    ]);
    expect(errorsOf({ slowCalls: { slowerThan: '1s', windowRequests: 20, minRequests: 20 } })).toEqual([]);
  });
});
