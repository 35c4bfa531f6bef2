/** What the fuzzer kept of HTTP/1.1 and of the hand-over to HTTP/2, once more through a real listener to a strict app. */
import { afterAll, expect, test } from 'vitest';
import { corpusFilesMax, readCorpus } from '../fuzz/corpus.ts';
import { Http1Target } from '../fuzz/http1-target.ts';
import { Features } from '../fuzz/target.ts';

const target = new Http1Target();

afterAll(() => target.close());

test('an app is sent nothing that two readers could read differently, and every connection ends', async () => {
  const inputs = [...target.seeds(), ...readCorpus('http1')];
  expect(inputs.length).toBeGreaterThan(10);
  expect(inputs.length).toBeLessThanOrEqual(corpusFilesMax + 10);
  for (const input of inputs) await target.run(input, new Features());
});
