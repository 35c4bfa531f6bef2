/** The dashboard's page. Everything it shows comes from one event stream (live.ts). */

import type { JSX } from 'preact';
import { render } from 'preact';
import './theme.css';
import './layout.css';
import './tables.css';
import { BreakerMatrix } from './breaker-matrix.tsx';
import { Events } from './events.tsx';
import { FleetTable } from './fleet-table.tsx';
import { connect, isStale, link, snapshot, startWatchdog } from './live.ts';
import { Login } from './login.tsx';
import { Policies, watchPolicies } from './policies.tsx';
import { StaleBanner, StatusBar } from './status-bar.tsx';

function Page(): JSX.Element {
  return (
    <>
      <StatusBar />
      <StaleBanner />
      {link.value === 'unauthorised' ? <Login /> : <Fleet />}
    </>
  );
}

function Fleet(): JSX.Element {
  const fleet = snapshot.value;
  if (!fleet)
    return (
      <p class="empty waiting">
        {link.value === 'lost'
          ? 'The control plane does not answer. Trying again …'
          : 'Connecting to the control plane …'}
      </p>
    );
  return (
    <main class={isStale() ? 'is-stale' : undefined}>
      <section class="wide" aria-labelledby="fleet">
        <h2 id="fleet">
          Fleet <small>worst first</small>
        </h2>
        <FleetTable services={fleet.services} />
      </section>
      <section aria-labelledby="breakers">
        <h2 id="breakers">Breakers</h2>
        <BreakerMatrix fleet={fleet} />
      </section>
      <section aria-labelledby="events">
        <h2 id="events">Events</h2>
        <Events events={fleet.events} />
      </section>
      <section class="wide" aria-labelledby="policies">
        <h2 id="policies">
          Policies <small>read-only</small>
        </h2>
        <Policies />
      </section>
    </main>
  );
}

const app = document.getElementById('app');
if (app) render(<Page />, app);
startWatchdog();
watchPolicies();
connect();
