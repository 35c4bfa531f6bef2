/** Who did not hear of a bundle is told; all are only when many did not, and nobody while words still come in. */
import { describe, expect, it } from 'vitest';
import { BundleResender, toldMax } from '../../../control-plane/service/bundle-resender.ts';
import type { Bus } from '../../../control-plane/service/bus.ts';
import { makeBundle } from '../../support/control-room.ts';

function rig() {
  const published: string[] = [];
  const bus: Pick<Bus, 'publish'> = {
    publish(subject) {
      published.push(subject);
      return true;
    },
  };
  const resender = new BundleResender(bus, { leads: () => true, epochOf: () => 'epoch' });
  resender.watch(makeBundle({ target: 'shop/payments' }), 0);
  const names = (count: number) => Array.from({ length: count }, (_, index) => `shop/orders/orders-${index}`);
  const tick = (nowMs: number, behind: number) => {
    published.length = 0;
    resender.tick(nowMs, () => names(behind));
    return [...published];
  };
  return tick;
}

describe('BundleResender', () => {
  it('tells those few that said nothing, at growing distances, once nobody else says anything more', () => {
    const tick = rig();
    expect(tick(249, 9), 'too early').toEqual([]);
    expect(tick(250, 9), 'it looks for the first time').toEqual([]);
    expect(tick(350, 2), 'some have spoken').toEqual([]);
    expect(tick(450, 2)).toEqual(['weir.cmd.shop.orders.orders-0', 'weir.cmd.shop.orders.orders-1']);
    expect(tick(550, 2)).toEqual([]);
    expect(tick(700, 2)).toHaveLength(2);
    expect(tick(1100, 2)).toEqual([]);
    expect(tick(1200, 2)).toHaveLength(2);
    expect(tick(9_000, 0), 'all have it').toEqual([]);
    expect(tick(99_000, 2), 'and it is done').toEqual([]);
  });

  it('publishes to all again where more are behind than can be told one by one', () => {
    const tick = rig();
    tick(250, toldMax + 1);
    expect(tick(350, toldMax + 1)).toEqual(['weir.pol.svc.shop.payments']);
  });
});
