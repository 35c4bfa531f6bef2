/** Answers in the place of a service's, marked by `weir-fallback`. */
import { HeaderList } from '../http2/hpack/field.ts';
import type { StaticAnswer } from '../policy/compile-fallback.ts';
import type { StoredAnswer, StoredField } from '../resilience/stale-answers.ts';
import type { Answer } from './answers.ts';

/** Fixed answers are built once: when a service is down, all its callers get them. */
const built = new WeakMap<StaticAnswer, Answer>();

export function staticAnswer(fixed: StaticAnswer): Answer {
  let answer = built.get(fixed);
  if (answer === undefined) {
    const { status, fields, body, trailers } = fixed;
    const head = headOf(status, fields, [['weir-fallback', 'static']]);
    answer = { head, body, trailers: trailers === null ? null : HeaderList.of(trailers) };
    built.set(fixed, answer);
  }
  return answer;
}

/** With its age (RFC 9111 §5.1), by which a caller can tell how stale it is. */
export function staleAnswer({ status, fields, body, trailers }: StoredAnswer, ageMs: number): Answer {
  return {
    head: headOf(status, fields, [
      ['age', String(Math.floor(ageMs / 1000))],
      ['weir-fallback', 'stale'],
    ]),
    body: body.length === 0 && trailers === null ? null : body,
    trailers: trailers === null ? null : HeaderList.of(trailers),
  };
}

function headOf(status: number, fields: readonly StoredField[], more: readonly StoredField[]): HeaderList {
  return HeaderList.of([[':status', String(status)], ...fields, ...more]);
}
