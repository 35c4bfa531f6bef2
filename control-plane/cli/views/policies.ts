/** `get policies`: one line a document, with what it does in a few words. */
import { isRecord, member } from '../../../proto/policy/problems.ts';
import { age, unknown } from '../numbers.ts';
import { keyOf, type PolicyDocument } from '../policy-documents.ts';
import type { Table } from '../table.ts';

export function policiesTable(documents: readonly PolicyDocument[], wallMs: number, wide: boolean): Table {
  const columns = ['POLICY', 'TARGET', 'ENFORCEMENT', 'GENERATION', 'AGE'];
  return {
    columns: wide ? [...columns, 'RULES'] : columns,
    rows: documents.map((document) => {
      const createdMs = document.createdAt === undefined ? Number.NaN : Date.parse(document.createdAt);
      const target = member(document.spec.target, 'service');
      const enforcement = document.spec.enforcement ?? 'enforce';
      const cells = [
        { text: keyOf(document), style: 'bold' as const },
        typeof target === 'string' ? `${document.namespace}/${target}` : unknown,
        { text: String(enforcement), style: enforcement === 'enforce' ? ('plain' as const) : ('yellow' as const) },
        document.generation === undefined ? unknown : String(document.generation),
        Number.isNaN(createdMs) ? unknown : age(wallMs - createdMs),
      ];
      return wide ? [...cells, rules(document)] : cells;
    }),
  };
}

/** `rate limits total 500/s, per-client 50/s; concurrency 64; breaker` */
function rules({ spec }: PolicyDocument): string {
  const { inbound, outbound } = spec;
  const limits = member(inbound, 'rateLimits');
  const parts = [
    Array.isArray(limits) && limits.length > 0
      ? `rate limits ${limits.map((limit) => `${text(limit, 'name')} ${text(limit, 'rate')}`).join(', ')}`
      : '',
    concurrency(member(inbound, 'concurrency')),
    isRecord(member(inbound, 'queue')) ? 'queue' : '',
    isRecord(member(inbound, 'deadline')) ? 'deadline' : '',
    isRecord(member(outbound, 'circuitBreaker')) ? 'breaker' : '',
    isRecord(member(outbound, 'healthCheck')) ? 'health check' : '',
    typeof member(outbound, 'timeout') === 'string' ? `timeout ${text(outbound, 'timeout')}` : '',
  ];
  return parts.filter(Boolean).join('; ') || unknown;
}

function concurrency(value: unknown): string {
  if (!isRecord(value)) return '';
  const fixed = member(member(value, 'fixed'), 'limit');
  return `concurrency ${typeof fixed === 'number' ? fixed : (Object.keys(value)[0] ?? '')}`;
}

const text = (value: unknown, name: string): string => String(member(value, name) ?? unknown);
