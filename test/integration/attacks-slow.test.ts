/**
 * Attacks by slowness, over a real socket against a real sidecar with short limits: whoever owes us a preface, an
 * acknowledgement or the rest of a header block is thrown out; whoever only reads or sends content slowly is not.
 */
import { expect, test } from 'vitest';
import { ErrorCode, Flag, prefaceBytes } from '../../sidecar/http2/constants.ts';
import type { Attacker } from '../support/attack/attacker.ts';
import { continuation, data, headers, literal, request, shortGet } from '../support/attack/blocks.ts';
import { rigForAll } from '../support/attack/rig.ts';
import { until } from '../support/until.ts';

const limits = ['prefaceTimeoutMs=400', 'settingsAckTimeoutMs=400', 'headersTimeoutMs=400'];
/** Far beyond the limits, and a tick. */
const longMs = 900;

const at = rigForAll(limits.flatMap((limit) => ['--limit', limit]));

/** One byte every 20 ms, until it is over. */
async function dribble(attacker: Attacker, bytes: Buffer): Promise<number> {
  let sent = 0;
  const timer = setInterval(() => {
    if (sent < bytes.length) attacker.send(bytes.subarray(sent, ++sent));
  }, 20);
  try {
    await attacker.thrownOut();
  } finally {
    clearInterval(timer);
  }
  return sent;
}

test('slow-loris: a preface without SETTINGS', async () => {
  const report = await at.rig.attack((attacker) => attacker.thrownOut(), {
    greeting: Buffer.from(prefaceBytes),
    isRude: true,
  });
  expect(report.attacker.goaway?.code).toBe(ErrorCode.settingsTimeout);
  expect(report.limits.get('preface_timeout')).toBe(1);
});

test('slow-loris: half a preface, then silence', async () => {
  const report = await at.rig.attack((attacker) => attacker.thrownOut(), {
    greeting: Buffer.from(prefaceBytes.slice(0, 9)),
    isRude: true,
  });
  expect(report.attacker.goaway).toBeUndefined();
});

test('our SETTINGS are never acknowledged', async () => {
  const report = await at.rig.attack((attacker) => attacker.thrownOut(), { acknowledges: false });
  expect(report.attacker.goaway?.code).toBe(ErrorCode.settingsTimeout);
  expect(report.limits.get('settings_ack_timeout')).toBe(1);
});

test('slow-loris: a header block that never ends', async () => {
  const report = await at.rig.attack(async (attacker) => {
    attacker.send(headers(1, shortGet('/'), Flag.endStream));
    await attacker.thrownOut();
  });
  expect(report.attacker.goaway?.code).toBe(ErrorCode.enhanceYourCalm);
  expect(report.limits.get('headers_timeout')).toBe(1);
});

test('slow-loris: HEADERS by the byte', async () => {
  const bytes = headers(1, request('GET', '/', ['x-long', 'y'.repeat(1000)]));
  const report = await at.rig.attack(async (attacker) => {
    expect(await dribble(attacker, bytes)).toBeLessThan(bytes.length);
  });
  expect(report.limits.get('headers_timeout')).toBe(1);
});

test('slow-loris: CONTINUATION by the byte does not begin the time anew', async () => {
  const begun = headers(1, shortGet('/'), Flag.endStream);
  const rest = Buffer.concat(Array.from({ length: 8 }, (_, index) => continuation(1, literal(`x-${index}`, 'y'))));
  const report = await at.rig.attack(async (attacker) => {
    attacker.send(begun);
    expect(await dribble(attacker, rest)).toBeLessThan(rest.length);
  });
  expect(report.limits.get('headers_timeout')).toBe(1);
});

test('content by the byte is no attack: the request waits for its end and is answered', async () => {
  const report = await at.rig.attack(async (attacker) => {
    attacker.send(headers(1, request('POST', '/', ['content-length', '75']), Flag.endHeaders));
    for (let sent = 1; sent <= 75; sent++) {
      attacker.send(data(1, 'x', sent === 75 ? Flag.endStream : 0));
      await new Promise((resolve) => setTimeout(resolve, longMs / 75));
    }
    await until(() => attacker.content.get(1) === 2, { what: 'the slow request is answered' });
  });
  expect(report.survived).toBe(true);
  expect(report.limits.size).toBe(0);
});

test('a frame of DATA that stops in the middle may take its time', async () => {
  const report = await at.rig.attack(async (attacker) => {
    const whole = data(1, 'x'.repeat(100), Flag.endStream);
    attacker.send(headers(1, request('POST', '/'), Flag.endHeaders), whole.subarray(0, 50));
    await new Promise((resolve) => setTimeout(resolve, longMs));
    attacker.send(whole.subarray(50));
    await until(() => attacker.content.get(1) === 2, { what: 'it is answered in the end' });
  });
  expect(report.survived).toBe(true);
});
