/** Why a breaker is as it is: the fleet's verdict with its numbers, and what each caller instance says for itself. */
import type { JSX } from 'preact';
import type { BreakerCellView, FleetBreakerView, FleetSnapshot } from '../../proto/api.ts';
import { BreakerMark, effective } from './breaker-mark.tsx';
import { age, clock, milliseconds } from './format.ts';
import { snapshotAgeMs } from './live.ts';

interface EvidenceProps {
  readonly cell: BreakerCellView;
  readonly fleet: FleetSnapshot;
  readonly onClose: () => void;
}

export function Evidence({ cell, fleet, onClose }: EvidenceProps): JSX.Element {
  const verdict = fleet.services.find(({ namespace, service }) => `${namespace}/${service}` === cell.target)?.breaker;
  const history = fleet.events
    .filter((event) => event.kind === 'breaker' && event.target === cell.target)
    .slice(-5)
    .reverse();
  return (
    <section
      class="evidence"
      aria-label={`Evidence, ${cell.caller} to ${cell.target}`}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
      }}
    >
      <header>
        <h3>
          {cell.caller} → {cell.target}
        </h3>
        <button type="button" class="quiet" onClick={onClose} aria-label="Close the evidence">
          ✕
        </button>
      </header>
      <p class="verdict">{sentence(cell, verdict)}</p>
      <dl>
        {verdict && verdict.state !== 'closed' && (
          <>
            <div>
              <dt>Callers failing</dt>
              <dd>
                {verdict.failingVoters} of {verdict.voters}
              </dd>
            </div>
            <div>
              <dt>Calls failed</dt>
              <dd>
                {verdict.fail} of {verdict.n}
              </dd>
            </div>
            <div>
              <dt>Cools for</dt>
              <dd>{milliseconds(verdict.coolMs)}</dd>
            </div>
          </>
        )}
        {verdict && (
          <div>
            <dt>Generation</dt>
            <dd>{verdict.generation}</dd>
          </div>
        )}
      </dl>
      <ul class="says">
        {cell.instances.map(({ instance, local, fleet: byFleet, ageMs, cause }) => (
          <li key={instance}>
            <BreakerMark state={effective(local, byFleet)} /> <b>{instance}</b>{' '}
            <span class="dim">
              {cause || 'no failures lately'} · {age(ageMs + snapshotAgeMs())}
            </span>
          </li>
        ))}
      </ul>
      {history.length > 0 && (
        <ol class="history">
          {history.map((event) => (
            <li key={`${event.at} ${event.text}`}>
              <time dateTime={event.at}>{clock(event.at)}</time> {event.text}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** "opened 14:02:11, 4 of 4 callers, 61/80 failed, fleet" */
function sentence(cell: BreakerCellView, verdict: FleetBreakerView | undefined): string {
  if (verdict && verdict.state !== 'closed') {
    const since =
      verdict.openedAt === null ? `for ${age(verdict.ageMs + snapshotAgeMs())}` : `opened ${clock(verdict.openedAt)}`;
    const state = verdict.state === 'open' ? '' : `, now ${verdict.state.replace('_', ' ')}`;
    return [since, verdict.evidence, 'fleet'].filter(Boolean).join(', ') + state;
  }
  if (cell.state === 'closed') return 'closed: calls go through';
  const openSince = clock(new Date(Date.now() - cell.ageMs - snapshotAgeMs()).toISOString());
  return [`${cell.state.replace('_', ' ')} since ${openSince}`, cell.cause, 'local only'].filter(Boolean).join(', ');
}
