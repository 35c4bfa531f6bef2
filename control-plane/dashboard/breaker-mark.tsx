/** A breaker's state as colour, shape and letter at once, so that none of the three has to be seen. */
import type { JSX } from 'preact';
import type { BreakerStateName } from '../../proto/api.ts';

interface Look {
  readonly letter: string;
  readonly words: string;
  readonly tone: 'good' | 'probing' | 'bad' | 'forced' | 'none';
  readonly shape: JSX.Element;
}

const disc = <circle cx="8" cy="8" r="6" />;
const ring = <circle cx="8" cy="8" r="5.200" fill="none" stroke="currentColor" stroke-width="1.600" />;

const looks: Record<BreakerStateName, Look> = {
  closed: { letter: 'C', words: 'closed', tone: 'good', shape: disc },
  half_open: {
    letter: 'H',
    words: 'half open',
    tone: 'probing',
    shape: (
      <g>
        {ring}
        <path d="M8 2.800a5.200 5.200 0 0 0 0 10.400z" />
      </g>
    ),
  },
  open: {
    letter: 'O',
    words: 'open',
    tone: 'bad',
    shape: (
      <path
        d="M3.200 3.200l9.600 9.600m0-9.600l-9.600 9.600"
        stroke="currentColor"
        stroke-width="3.200"
        stroke-linecap="round"
      />
    ),
  },
  ramp: {
    letter: 'R',
    words: 'ramping up',
    tone: 'probing',
    shape: (
      <g>
        {ring}
        <path d="M8 8V2.800A5.200 5.200 0 0 1 13.200 8z" />
      </g>
    ),
  },
  forced_open: {
    letter: 'F',
    words: 'forced open',
    tone: 'forced',
    shape: <path d="M2.500 2.500h11v11h-11zM4.500 8h7v3.500h-7z" fill-rule="evenodd" />,
  },
  forced_closed: {
    letter: 'F',
    words: 'forced closed',
    tone: 'forced',
    shape: <path d="M2.500 2.500h11v11h-11zM4.500 4.500h7V8h-7z" fill-rule="evenodd" />,
  },
};

export function stateWords(state: BreakerStateName): string {
  return looks[state].words;
}

export function stateTone(state: BreakerStateName): string {
  return looks[state].tone;
}

export function BreakerMark({ state }: { readonly state: BreakerStateName }): JSX.Element {
  const { letter, words, tone, shape } = looks[state];
  return (
    <span class={`mark tone-${tone}`} title={words}>
      <svg viewBox="0 0 16 16" width="14" height="14" fill="currentColor" aria-hidden="true">
        {shape}
      </svg>
      <b aria-hidden="true">{letter}</b>
      <span class="sr">{words}</span>
    </span>
  );
}

/** The caller does not call this service. */
export function NoBreaker(): JSX.Element {
  return (
    <span class="mark tone-none">
      <span aria-hidden="true">·</span>
      <span class="sr">no calls</span>
    </span>
  );
}

export const legend: readonly BreakerStateName[] = ['closed', 'half_open', 'open', 'ramp', 'forced_open'];

const severity: Record<BreakerStateName, number> = {
  closed: 0,
  forced_closed: 1,
  ramp: 2,
  half_open: 3,
  open: 4,
  forced_open: 5,
};

/** Fleet or local, whichever is worse: what a request meets. */
export function effective(local: BreakerStateName, fleet: BreakerStateName): BreakerStateName {
  return severity[fleet] > severity[local] ? fleet : local;
}
