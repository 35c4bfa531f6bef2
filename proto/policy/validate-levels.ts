/** Levels that nothing could move, and those of a route, of which no caller could be told. */
import { errorsMax, type Finding, member } from './problems.ts';

export function levelsWithoutQueue(inbound: unknown, pointer: string): Finding[] {
  if (member(inbound, 'levels') === undefined || member(inbound, 'concurrency') !== undefined) return [];
  return [
    {
      pointer: `${pointer}/levels`,
      message: 'levels follow from how long requests wait for the concurrency limit, and there is none',
      hint: 'add concurrency: { fixed: { limit: 64 } } and a queue beside it',
      atKey: true,
    },
  ];
}

/** What is not essential is switched off by level. `spec`: the whole, since routes say it, too. */
export function essentialWithoutLevels(spec: unknown, pointer: string): Finding[] {
  const levels = member(member(spec, 'inbound'), 'levels');
  const places = [
    ...placesIn(member(spec, 'routes'), `${pointer}/routes`),
    ...placesIn(member(member(member(spec, 'inbound'), 'priorities'), 'rules'), `${pointer}/inbound/priorities/rules`),
  ];
  if (levels === undefined) {
    const message = 'what is not essential is switched off by level, and the policy has no levels';
    const hint = 'add spec.inbound.levels: {}, or remove essential';
    return places.map((at) => ({ pointer: at, message, hint, atKey: true }));
  }
  if (member(levels, 'nonEssential') === undefined || places.length > 0) return [];
  const message = 'nothing is non-essential: no route and no rule of priorities says essential: false';
  return [
    { pointer: `${pointer}/inbound/levels/nonEssential`, message, hint: 'mark what can be done without', atKey: true },
  ];
}

function placesIn(list: unknown, pointer: string): string[] {
  if (!Array.isArray(list)) return [];
  return list
    .slice(0, errorsMax)
    .flatMap((entry, index) => (member(entry, 'essential') === false ? [`${pointer}/${index}/essential`] : []));
}

export function levelsInRoute(inbound: unknown, pointer: string): Finding[] {
  if (member(inbound, 'levels') === undefined) return [];
  return [
    {
      pointer: `${pointer}/levels`,
      message: "levels are the service's: its callers know one level of it",
      hint: 'move levels to spec.inbound, and give the route a tier by spec.inbound.priorities',
      atKey: true,
    },
  ];
}
