/** Bundles on disk: whole or not at all, and a bounded number of them. */
import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LastKnownGood } from '../../../sidecar/io/control-link/last-known-good.ts';
import { type TempDir, tempDir } from '../../support/temp-dir.ts';

let dir: TempDir;
let logged: string[];
const log = (_level: string, message: string): void => {
  logged.push(message);
};

beforeEach(() => {
  dir = tempDir('known-good');
  logged = [];
});
afterEach(() => dir.remove());

describe('LastKnownGood', () => {
  it('gives back what was saved last, to another process too', async () => {
    const disk = new LastKnownGood(dir.path, log);
    for (let version = 1; version <= 20; version++) disk.save('shop/payments', `version ${version}\n✓`);
    await disk.settled();
    expect(new LastKnownGood(dir.path, log).load('shop/payments')).toBe('version 20\n✓');
    expect(readdirSync(dir.path)).toEqual(['shop.payments.bundle']);
    expect(logged).toEqual([]);
  });

  it('knows nothing of a target that was never saved, without a word', () => {
    expect(new LastKnownGood(dir.path, log).load('shop/payments')).toBeUndefined();
    expect(logged).toEqual([]);
  });

  it('ignores a file cut at any place', async () => {
    const disk = new LastKnownGood(dir.path, log);
    disk.save('shop/payments', '{"version":1}');
    await disk.settled();
    const path = join(dir.path, 'shop.payments.bundle');
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      expect(disk.load('shop/payments'), `${length} bytes`).toBeUndefined();
    }
    expect(logged).toHaveLength(whole.length);
  });

  it('removes the file not written for the longest time when there are too many', async () => {
    const disk = new LastKnownGood(dir.path, log, 3);
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      disk.save(`shop/${name}`, name);
      await disk.settled();
      utimesSync(join(dir.path, `shop.${name}.bundle`), index + 1, name === 'a' ? 100 : index + 1);
    }
    disk.save('shop/c', 'again');
    disk.save('shop/d', 'd');
    await disk.settled();
    expect(readdirSync(dir.path).sort()).toEqual(['shop.a.bundle', 'shop.c.bundle', 'shop.d.bundle']);
  });

  it('says so when it cannot write, and goes on', async () => {
    const file = join(dir.path, 'no-folder');
    writeFileSync(file, '');
    const disk = new LastKnownGood(file, log);
    disk.save('shop/payments', 'text');
    await disk.settled();
    expect(logged).toEqual(['cannot keep bundles on disk', 'cannot keep the bundle on disk']);
  });
});
