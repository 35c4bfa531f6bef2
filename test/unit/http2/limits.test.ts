/**
 * Limits as settings: every name, its range, and every error at once.
 */
import { describe, expect, test } from 'vitest';
import { parseOptions } from '../../../proto/kernel/options.ts';
import { checkConfig, sidecarOptions } from '../../../sidecar/config.ts';
import { defaultLimits, limitSpecs, parseLimits } from '../../../sidecar/http2/limits.ts';

describe('parseLimits', () => {
  test('gives the defaults of the design when nothing is set', () => {
    expect(parseLimits([])).toEqual({ limits: defaultLimits, errors: [] });
    expect(defaultLimits).toMatchObject({
      concurrentStreamsMax: 250,
      upstreamStreamsMax: 100,
      headerListBytesMax: 65_536,
      headerFieldsMax: 256,
      headerFieldBytesMax: 16_384,
      decoderTableBytesMax: 4096,
      encoderTableBytesMax: 4096,
      headerBlockBytesMax: 65_536,
      continuationFramesMax: 8,
      headersTimeoutMs: 10_000,
      prefaceTimeoutMs: 10_000,
      settingsAckTimeoutMs: 10_000,
      controlFramesMax: 1000,
      settingsPerSecond: 10,
      settingsBurst: 50,
      settingsEntriesMax: 32,
      pingsPerSecond: 100,
      windowUpdatesPerDataFrame: 10,
      prioritiesPerStream: 100,
      emptyDataFramesMax: 100,
      glitchesMax: 10_000,
      glitchesPerSecond: 330,
      resetWindowStreams: 1000,
      resetSharePercentMax: 50,
      resetWithinMs: 1000,
    });
  });

  test('takes every limit by its name, at both ends of its range', () => {
    for (const [name, { min, max }] of Object.entries(limitSpecs)) {
      expect(parseLimits([`${name}=${min}`])).toEqual({ limits: { ...defaultLimits, [name]: min }, errors: [] });
      expect(parseLimits([`${name}=${max}`])).toEqual({ limits: { ...defaultLimits, [name]: max }, errors: [] });
      expect(parseLimits([`${name}=${max + 1}`]).errors).toHaveLength(1);
      if (min > 0) expect(parseLimits([`${name}=${min - 1}`]).errors).toHaveLength(1);
    }
  });

  test('says every error at once, with value and range', () => {
    const { errors } = parseLimits(['concurrentStreamsMax=0', 'nothing=1', 'pingsPerSecond=5', 'pingsPerSecond=6']);
    expect(errors).toEqual([
      'limit concurrentStreamsMax=0: not an integer from 1 to 100000 (streams that a caller may have open on a connection)',
      expect.stringMatching(/^limit "nothing" does not exist; there are concurrentStreamsMax, /),
      'limit pingsPerSecond is given twice',
    ]);
  });
});

test('the sidecar takes limits from flags and file alike, and refuses wrong ones by name', () => {
  const good = ['concurrentStreamsMax=10', 'settingsBurst=7'];
  const fromFlags = parseOptions(sidecarOptions, { argv: good.flatMap((limit) => ['--limit', limit]), env: {} });
  const fromFile = parseOptions(sidecarOptions, { argv: [], env: {}, file: { limit: good } });
  expect(fromFlags).toEqual(fromFile);
  const wrong = parseOptions(sidecarOptions, { argv: ['--limit', 'settingsBurst=0', '--limit', 'x=1'], env: {} });
  if (!wrong.ok || wrong.help) throw new Error('the form is right');
  expect(checkConfig(wrong.values)).toEqual([
    '--limit: limit settingsBurst=0: not an integer from 1 to 100000 (SETTINGS frames at once)',
    expect.stringContaining('--limit: limit "x" does not exist'),
  ]);
});
