/**
 * What the browser knows of the mesh, and whether it still does. One event stream brings everything; a watchdog looks at
 * the time since the last word rather than at the stream's own opinion, because a connection that died half-way looks
 * open for minutes, and a dashboard that is frozen while green is worse than none.
 */
import { signal } from '@preact/signals';
import type { FleetSnapshot } from '../../proto/api.ts';

export type Link = 'connecting' | 'live' | 'lost' | 'unauthorised';

export const link = signal<Link>('connecting');
export const snapshot = signal<FleetSnapshot | null>(null);
/** performance.now() of the last snapshot; ages shown are counted on from it. */
export const receivedMs = signal(0);
/** Ticks twice a second. */
export const nowMs = signal(performance.now());

/** A snapshot comes every second: after this long what is shown is old news, and says so. */
export const staleAfterMs = 4_000;
/** After this long the stream is given up and opened anew. */
const reopenAfterMs = 8_000;
const reopenPauseMs = 1_500;

let source: EventSource | undefined;
let openedMs = 0;
let heardMs = 0;
let reopenTimer: number | undefined;

/** How old what is shown is. */
export function snapshotAgeMs(): number {
  return Math.max(0, nowMs.value - receivedMs.value);
}

export function isStale(): boolean {
  return snapshot.value !== null && snapshotAgeMs() > staleAfterMs;
}

export function connect(): void {
  clearTimeout(reopenTimer);
  source?.close();
  openedMs = performance.now();
  source = new EventSource('/v1/events');
  source.addEventListener('fleet', (event) => {
    const value: unknown = JSON.parse(event.data);
    if (!isSnapshot(value)) return;
    heardMs = performance.now();
    receivedMs.value = heardMs;
    nowMs.value = heardMs;
    snapshot.value = value;
    link.value = 'live';
  });
  source.addEventListener('ping', () => {
    heardMs = performance.now();
  });
  source.addEventListener('error', () => {
    source?.close();
    link.value = 'lost';
    void reopen();
  });
}

export function startWatchdog(): void {
  setInterval(() => {
    nowMs.value = performance.now();
    const quietMs = nowMs.value - Math.max(heardMs, openedMs);
    if (source?.readyState !== EventSource.CLOSED && quietMs > reopenAfterMs) {
      link.value = 'lost';
      connect();
    }
  }, 500);
}

/** An event stream does not say why it was refused, so the API is asked. */
async function reopen(): Promise<void> {
  if (await isUnauthorised()) {
    link.value = 'unauthorised';
    return;
  }
  clearTimeout(reopenTimer);
  reopenTimer = window.setTimeout(connect, reopenPauseMs);
}

async function isUnauthorised(): Promise<boolean> {
  try {
    const response = await fetch('/v1/version', { signal: AbortSignal.timeout(2_000) });
    return response.status === 401;
  } catch {
    // Nobody answers: lost, not locked out.
    return false;
  }
}

/** Exchanges the token for a session cookie; answers what to tell the user, nothing when it worked. */
export async function signIn(token: string): Promise<string | undefined> {
  try {
    const response = await fetch('/v1/session', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(5_000),
    });
    if (response.status === 401 || response.status === 403) return 'That token is not accepted.';
    if (!response.ok) return `The control plane answered ${response.status}.`;
  } catch {
    return 'The control plane does not answer.';
  }
  link.value = 'connecting';
  connect();
  return undefined;
}

/** The server is ours and typed; this guards against a proxy's error page or another version. */
function isSnapshot(value: unknown): value is FleetSnapshot {
  return (
    typeof value === 'object' &&
    value !== null &&
    'services' in value &&
    Array.isArray(value.services) &&
    'breakers' in value &&
    Array.isArray(value.breakers) &&
    'events' in value &&
    Array.isArray(value.events) &&
    'controlPlane' in value
  );
}
