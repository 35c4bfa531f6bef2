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
