/** What happened lately, the newest first. */
import type { JSX } from 'preact';
import type { EventView } from '../../proto/api.ts';
import { clock } from './format.ts';

export function Events({ events }: { readonly events: readonly EventView[] }): JSX.Element {
  if (events.length === 0) return <p class="empty">Nothing has happened since this control plane started.</p>;
  return (
    <ol class="events">
      {[...events].reverse().map((event) => (
        <li key={`${event.at} ${event.target} ${event.text}`} class={`kind-${event.kind}`}>
          <time dateTime={event.at} title={event.at}>
            {clock(event.at)}
          </time>
          <span class="kind">{event.kind}</span>
          <span>
            {event.target && <b>{event.target}</b>} {event.text}
          </span>
        </li>
      ))}
    </ol>
  );
}
