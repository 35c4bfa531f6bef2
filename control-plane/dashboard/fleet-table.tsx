/** Every service in a row, the worst first (the control plane orders them, as it does for the CLI). */
import type { JSX } from 'preact';
import type { ServiceView } from '../../proto/api.ts';
import { BreakerMark } from './breaker-mark.tsx';
import { milliseconds, plural, rate, share, unknown } from './format.ts';
import { Sparkline } from './sparkline.tsx';

export function FleetTable({ services }: { readonly services: readonly ServiceView[] }): JSX.Element {
  if (services.length === 0) {
    return (
      <p class="empty">
        No sidecar has reported yet. A service appears when its first sidecar starts, before its first request.
      </p>
    );
  }
  return (
    <table class="fleet">
      <thead>
        <tr>
          <th scope="col">Service</th>
          <th scope="col">Sidecars</th>
          <th scope="col">Policy</th>
          <th scope="col" class="num">
            Requests/s
          </th>
          <th scope="col" class="num">
            Success
          </th>
          <th scope="col" class="num">
            p99
          </th>
          <th scope="col" class="num">
            In flight
          </th>
          <th scope="col">Rejected/s, by reason</th>
          <th scope="col">Breaker</th>
        </tr>
      </thead>
      <tbody>
        {services.map((service) => (
          <Row key={`${service.namespace}/${service.service}`} service={service} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ service }: { readonly service: ServiceView }): JSX.Element {
  const { inbound, breaker } = service;
  const troubles = troublesOf(service);
  return (
    <tr class={troubles.length > 0 ? 'troubled' : undefined} data-service={`${service.namespace}/${service.service}`}>
      <th scope="row">
        <span class="service-name">
          <span class="dim">{service.namespace}/</span>
          {service.service}
        </span>
        {troubles.length > 0 && <span class="why">{troubles.join(' · ')}</span>}
      </th>
      <td data-label="Sidecars">
        <Instances service={service} />
      </td>
      <td data-label="Policy">
        <Policy service={service} />
      </td>
      <td data-label="Requests/s" class="num">
        <span class="with-spark">
          <Sparkline points={service.sparkline} />
          <span class="figure">{rate(inbound.requestsPerSecond)}</span>
        </span>
      </td>
      <td data-label="Success" class={`num ${successTone(inbound.successRatio)}`}>
        {share(inbound.successRatio)}
      </td>
      <td data-label="p99" class="num">
        {milliseconds(inbound.p99Ms)}
      </td>
      <td data-label="In flight" class="num">
        <InFlight service={service} />
      </td>
      <td data-label="Rejected/s">
        <Rejected rejected={inbound.rejectedPerSecond} offered={inbound.requestsPerSecond} />
      </td>
      <td data-label="Breaker">
        <BreakerMark state={breaker.state} />
      </td>
    </tr>
  );
}

/** Why this row stands so high, in words. */
function troublesOf({ breaker, policy, stale, live, draining }: ServiceView): string[] {
  const troubles: string[] = [];
  if (breaker.state !== 'closed') troubles.push(`breaker ${breaker.state.replace('_', ' ')} for the fleet`);
  if (live === 0 && stale + draining > 0) troubles.push('no sidecar live');
  if (policy.rejected.length > 0) troubles.push(`policy refused by ${plural(policy.rejected.length, 'sidecar')}`);
  else if (policy.behind.length > 0) troubles.push(`${plural(policy.behind.length, 'sidecar')} behind the policy`);
  return troubles;
}

function Instances({ service: { live, stale, draining } }: { readonly service: ServiceView }): JSX.Element {
  if (live + stale + draining === 0) return <span class="dim">{unknown}</span>;
  return (
    <span class="parts">
      <span class={live === 0 ? 'bad' : undefined}>{live} live</span>
      {stale > 0 && <span class="warn">{stale} stale</span>}
      {draining > 0 && <span class="dim">{draining} draining</span>}
    </span>
  );
}

function Policy({ service: { policy } }: { readonly service: ServiceView }): JSX.Element {
  if (policy.version === null) return <span class="dim">none</span>;
  const complete = policy.applied === policy.expected;
  const detail = [
    ...policy.rejected.map(({ instance, message }) => `${instance} refused: ${message}`),
    ...policy.behind.map((instance) => `${instance} is behind`),
  ];
  return (
    <span
      class={complete ? undefined : policy.rejected.length > 0 ? 'bad' : 'warn'}
      title={detail.join('\n') || `hash ${policy.hash ?? ''}`}
    >
      <b>v{policy.version}</b> on {policy.applied}/{policy.expected}
    </span>
  );
}

function InFlight({ service: { inbound } }: { readonly service: ServiceView }): JSX.Element {
  const { inFlight, concurrencyLimit, queueDepth } = inbound;
  const full =
    inFlight !== null && concurrencyLimit !== null && concurrencyLimit > 0 && inFlight >= concurrencyLimit * 0.95;
  return (
    <span class={full ? 'warn' : undefined}>
      {inFlight === null ? unknown : inFlight.toFixed(0)}
      {concurrencyLimit !== null && concurrencyLimit > 0 && <span class="dim"> / {concurrencyLimit.toFixed(0)}</span>}
      {queueDepth !== null && queueDepth > 0 && (
        <span class="queued" title="waiting in the queue">
          {' '}
          +{queueDepth.toFixed(0)} queued
        </span>
      )}
    </span>
  );
}

function Rejected({
  rejected,
  offered,
}: {
  readonly rejected: Readonly<Record<string, number>>;
  readonly offered: number | null;
}): JSX.Element {
  const reasons = Object.entries(rejected)
    .filter(([, perSecond]) => perSecond > 0)
    .sort((a, b) => b[1] - a[1]);
  if (reasons.length === 0) return <span class="dim">{offered === null ? unknown : '0'}</span>;
  return (
    <span class="reasons">
      {reasons.map(([reason, perSecond]) => (
        <span class="reason" key={reason}>
          <code>{reason}</code> {rate(perSecond)}
        </span>
      ))}
    </span>
  );
}

function successTone(ratio: number | null): string {
  if (ratio === null) return 'dim';
  if (ratio < 0.95) return 'bad';
  return ratio < 0.99 ? 'warn' : '';
}
