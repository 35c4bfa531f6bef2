/** A profile read wrongly sends people to the wrong function. */
import { describe, expect, it } from 'vitest';
import { renderProfile, summariseProfile } from '../../bench/cpu-profile.ts';

const frame = (functionName: string, url = '', lineNumber = -1) => ({ functionName, url, lineNumber });
const all = { fromUs: 0, toUs: Number.POSITIVE_INFINITY };
const profile = JSON.stringify({
  startTime: 5000,
  nodes: [
    { id: 1, callFrame: frame('(root)') },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('receive', 'file:///x/dist/sidecar/http2/connection.js', 41) },
    { id: 4, callFrame: frame('receive', 'file:///x/dist/sidecar/http2/connection.js', 41) },
    { id: 5, callFrame: frame('', 'node:net', 9) },
  ],
  samples: [2, 3, 4, 5, 2],
  timeDeltas: [1000, 2000, 1000, 1000, 5000],
});

describe('summariseProfile', () => {
  it('adds up each function over its call sites and leaves idle time out of the shares', () => {
    expect(summariseProfile(profile, all)).toEqual({
      busyMs: 4,
      idleMs: 6,
      functions: [
        { name: 'receive', place: 'sidecar/http2/connection.js:42', ms: 3, share: 0.75 },
        { name: '(anonymous)', place: 'node:net:10', ms: 1, share: 0.25 },
      ],
    });
  });

  it('looks only at the span asked for', () => {
    // The samples end at 6000, 8000, 9000, 10000 and 15000 µs.
    expect(summariseProfile(profile, { fromUs: 8500, toUs: 10_000 })).toMatchObject({ busyMs: 2, idleMs: 0 });
  });

  it('refuses what is no profile', () => {
    expect(() => summariseProfile('{}', all)).toThrow('it has no nodes');
  });

  it('is printed per request, the dearest first', () => {
    const text = renderProfile(summariseProfile(profile, all), 1000, 1);
    expect(text.split('\n')).toEqual([
      '4 ms busy, 6 ms idle, 4.00 µs busy per request',
      '     self   µs/req  function',
      '   75.0 %     3.00  receive                      sidecar/http2/connection.js:42',
    ]);
  });
});
