/** What happens when more targets, callers or reporters come than the coordinator keeps. */
import { describe, expect, it } from 'vitest';
import { coordinatorBounds } from '../../../control-plane/coordination/breaker-coordinator.ts';
import { coordinatorFor, epoch, Fleet } from './coordinator-rig.ts';

describe('BreakerCoordinator at its bounds', () => {
  const bounded = (bounds: Partial<typeof coordinatorBounds>) =>
    new Fleet(coordinatorFor(() => epoch, { ...coordinatorBounds, ...bounds }));

  it('hears no further target until one has become idle', () => {
    const fleet = bounded({ targetsMax: 2 });
    for (const about of ['shop/a', 'shop/b', 'shop/c']) fleet.report('orders-0', {}, about);
    expect(fleet.coordinator.views().map((view) => view.target)).toEqual(['shop/a', 'shop/b']);
    expect(fleet.coordinator.unheard).toBe(1);
    fleet.nowMs += 61_000;
    fleet.report('orders-0', {}, 'shop/c');
    expect(fleet.coordinator.view('shop/c')).toBeDefined();
  });

  it('hears no further caller of a target until one has lost its demand', () => {
    const fleet = bounded({ callersPerTargetMax: 3 });
    fleet.run(100);
    expect(fleet.view?.callers).toBe(3);
    expect(fleet.coordinator.unheard).toBe(1);
    fleet.nowMs += 11_000;
    fleet.report('orders-3');
    expect(fleet.view?.callers).toBe(1);
  });

  it('hears no further caller when all targets together have too many', () => {
    const fleet = bounded({ callersMax: 5 });
    fleet.run(100);
    for (let i = 0; i < 4; i++) fleet.report(`orders-${i}`, {}, 'shop/other');
    expect(fleet.coordinator.view('shop/other')?.callers).toBe(1);
  });

  it('hears no further reporter until one has been silent for 10 s', () => {
    const fleet = bounded({ reportersMax: 2 });
    fleet.run(100);
    expect(fleet.view?.callers).toBe(2);
    fleet.nowMs += 11_000;
    fleet.report('orders-3');
    expect(fleet.view?.callers).toBe(3);
  });

  it('says so when it cannot remember that a target is switched off', () => {
    const { coordinator } = bounded({ disabledMax: 1 });
    expect(coordinator.setFleetEnabled('shop/a', false)).toBe(true);
    expect(coordinator.setFleetEnabled('shop/a', false)).toBe(true);
    expect(coordinator.setFleetEnabled('shop/b', false)).toBe(false);
  });
});
