/** The one line that must never lie: whether what is below is now, and who says it. */
import type { JSX } from 'preact';
import { age, clock, plural } from './format.ts';
import { isStale, link, snapshot, snapshotAgeMs } from './live.ts';

export function StatusBar(): JSX.Element {
  const fleet = snapshot.value;
  const sidecars = fleet?.services.reduce((sum, { live }) => sum + live, 0) ?? 0;
  const notLive = fleet?.services.reduce((sum, { stale }) => sum + stale, 0) ?? 0;
  const openBreakers = fleet?.services.filter(({ breaker }) => breaker.state !== 'closed').length ?? 0;
  return (
    <header class="bar">
      <h1>
        <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
          <rect width="32" height="32" rx="7" fill="var(--brand)" />
          <g fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round">
            <path d="M5 12c3.7-4 7.300-4 11 0s7.300 4 11 0" />
            <path d="M9 19h14M12 24.500h8" opacity=".75" />
          </g>
        </svg>
        Weir
      </h1>
      <ConnectionStatus />
      {fleet && (
        <ul class="facts">
          <li>{plural(fleet.services.length, 'service')}</li>
          <li>
            {plural(sidecars, 'sidecar')}
            {notLive > 0 && <span class="warn"> +{notLive} stale</span>}
          </li>
          <li class={openBreakers > 0 ? 'bad' : undefined}>
            {openBreakers === 0 ? 'no fleet breaker open' : `${plural(openBreakers, 'fleet breaker')} not closed`}
          </li>
          <li title={`epoch ${fleet.controlPlane.epoch}`}>
            {fleet.controlPlane.id}
            {fleet.controlPlane.leader ? ', leader' : ', follower'}
          </li>
          {!fleet.controlPlane.natsConnected && <li class="bad">control plane has lost NATS</li>}
        </ul>
      )}
    </header>
  );
}

function ConnectionStatus(): JSX.Element {
  const state = isStale() ? 'stale' : link.value;
  const words =
    state === 'live'
      ? 'live'
      : state === 'stale'
        ? `stale ${age(snapshotAgeMs())}`
        : state === 'connecting'
          ? 'connecting'
          : state === 'lost'
            ? 'reconnecting'
            : 'signed out';
  return (
    <span class={`link link-${state}`} role="status">
      <span class="dot" aria-hidden="true" />
      {words}
    </span>
  );
}

/** Loud, because everything below still looks like the present. */
export function StaleBanner(): JSX.Element | null {
  const fleet = snapshot.value;
  if (!fleet || !isStale()) return null;
  return (
    <p class="banner" role="alert">
      <b>Stale {age(snapshotAgeMs())}.</b> Nothing has been heard from the control plane since {clock(fleet.at)}; what
      you see is from then. The sidecars go on with their last policies. Reconnecting …
    </p>
  );
}
