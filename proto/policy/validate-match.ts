/** Conditions of a match that contradict each other. */
import { errorsMax, type Finding, isRecord, member } from './problems.ts';

export function matchThatClashes(match: unknown, pointer: string): Finding[] {
  const findings: Finding[] = [];
  if (member(match, 'grpc') !== undefined && member(match, 'path') !== undefined) {
    const message = 'grpc names the path already: the path of a call is /<service>/<method>';
    findings.push({ pointer: `${pointer}/path`, message, hint: 'remove path or grpc', atKey: true });
  }
  const method = member(match, 'method');
  if (member(match, 'grpc') !== undefined && typeof method === 'string' && method !== 'POST') {
    findings.push({
      pointer: `${pointer}/method`,
      message: `a call of gRPC is never ${method}`,
      hint: 'remove method',
    });
  }
  const headers = member(match, 'headers');
  if (!Array.isArray(headers)) return findings;
  for (const [index, header] of headers.slice(0, errorsMax).entries()) {
    if (!isRecord(header) || (header.exact === undefined) !== (header.present === undefined)) continue;
    const message = 'a header is compared in one way: exact or present';
    findings.push({ pointer: `${pointer}/headers/${index}`, message, hint: 'such as present: {}' });
  }
  return findings;
}
