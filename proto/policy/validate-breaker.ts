/** Conditions of a circuit breaker that contradict themselves, or could never be met. */
import { parseDuration } from '../kernel/duration.ts';
import { type Finding, member, show } from './problems.ts';

/** `pointer`: where `outbound` stands. */
export function validateBreaker(outbound: unknown, pointer: string): Finding[] {
  const breaker = member(outbound, 'circuitBreaker');
  const at = `${pointer}/circuitBreaker`;
  return [
    ...validateShare(member(breaker, 'failureRatio'), `${at}/failureRatio`),
    ...validateShare(member(breaker, 'slowCalls'), `${at}/slowCalls`),
    ...fleetOfEndpoints(breaker, at),
    ...slowBeyondTimeout(outbound, member(breaker, 'slowCalls'), `${at}/slowCalls`),
  ];
}

function validateShare(condition: unknown, at: string): Finding[] {
  const windowRequests = member(condition, 'windowRequests');
  if (typeof windowRequests !== 'number') return [];
  const findings: Finding[] = [];
  if (member(condition, 'window') !== undefined) {
    const message = 'window and windowRequests are two ways to say which requests count';
    findings.push({ pointer: `${at}/windowRequests`, message, hint: 'remove one of them', atKey: true });
  }
  const minRequests = member(condition, 'minRequests');
  if (typeof minRequests === 'number' && minRequests > windowRequests) {
    const message = `minRequests ${show(minRequests)} is more than windowRequests ${show(windowRequests)} ever holds`;
    findings.push({ pointer: `${at}/minRequests`, message });
  }
  return findings;
}

function fleetOfEndpoints(breaker: unknown, at: string): Finding[] {
  if (member(breaker, 'scope') !== 'perEndpoint' || member(member(breaker, 'fleet'), 'enabled') !== true) return [];
  const message = 'the verdict of the fleet is about the service, and not about single endpoints';
  return [{ pointer: `${at}/fleet/enabled`, message, hint: 'remove it, or use scope: perService' }];
}

/** A route's requests go to the same endpoints as all others. `pointer`: where the route's `outbound` stands. */
export function breakerOfEndpointsInRoute(outbound: unknown, pointer: string): Finding[] {
  if (member(member(outbound, 'circuitBreaker'), 'scope') !== 'perEndpoint') return [];
  const message = 'a route has one breaker of its own: breakers of endpoints belong to the service';
  return [{ pointer: `${pointer}/circuitBreaker/scope`, message, hint: 'remove scope, or name it in spec.outbound' }];
}

/** What ends at the timeout is never slower than that. */
function slowBeyondTimeout(outbound: unknown, slowCalls: unknown, at: string): Finding[] {
  const [slowerThan, timeout] = [member(slowCalls, 'slowerThan'), member(outbound, 'timeout')];
  if (typeof slowerThan !== 'string' || typeof timeout !== 'string') return [];
  if (slowerThan.length > 64 || timeout.length > 64) return [];
  const [slowMs, timeoutMs] = [parseDuration(slowerThan), parseDuration(timeout)];
  if (slowMs === undefined || timeoutMs === undefined || slowMs <= timeoutMs) return [];
  const message = `slowerThan ${show(slowerThan)} is longer than outbound.timeout ${show(timeout)}: nothing is ever slow`;
  return [{ pointer: `${at}/slowerThan`, message }];
}
