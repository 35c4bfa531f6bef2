/** Settings of what is switched off, unless they are what they would be anyway. */
import { canonicalJson } from './canonical-json.ts';
import { errorsMax, type Finding, isRecord, member } from './problems.ts';
import { CodelSpec, TenantFairSpec } from './schema-queue.ts';
import { ThrottleSpec } from './schema-throttle.ts';

const switches = [
  { path: ['queue', 'tenantFair'], schema: TenantFairSpec, standard: { weights: [] } },
  { path: ['queue', 'codel'], schema: CodelSpec, standard: {} },
  { path: ['throttle'], schema: ThrottleSpec, standard: {} },
] as const;

/** `side`: an inbound or outbound section. */
export function switchedOff(side: unknown, pointer: string): Finding[] {
  return switches.flatMap(({ path, schema, standard }) => {
    const section = path.reduce<unknown>(member, side);
    if (!isRecord(section) || section.enabled !== false) return [];
    const usual = (name: string): unknown =>
      member(standard, name) ?? member(member(schema.properties, name), 'default');
    return Object.keys(section)
      .filter((name) => name !== 'enabled' && canonicalJson(section[name]) !== canonicalJson(usual(name)))
      .slice(0, errorsMax)
      .map((name) => ({
        pointer: [pointer, ...path, name].join('/'),
        message: `${name} says how ${path.at(-1)} works, but it is switched off`,
        hint: 'remove it, or enabled: false',
        atKey: true,
      }));
  });
}
