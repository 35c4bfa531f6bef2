/**
 * What sidecars of the mesh tell each other beside the app's own fields:
 *
 *   weir-mesh-token   request    the mesh's credential (mesh-token.ts)
 *   weir-tier         request    critical, high, normal, low, batch, background
 *   weir-user         request    0 to 127, the user level within the tier
 *   weir-tenant       request    on whose account
 *   weir-stands-for   request    how many its sender kept back for a level, and this one
 *   weir-attempt      request    it was sent before: 2 = once (onward-head.ts)
 *   weir-level        response   priorities from here on are refused; absent = everybody is taken in
 *   weir-reason       response   why a sidecar refused
 *
 * and, in the words of others, endpoint-load-metrics-bin: how loaded the service is.
 *
 * A caller that has not proved to be of the mesh has no say in any of them: they are taken off. So is what is for this hop
 * alone. The result is kept on the list, so that requests which are the same list cost nothing.
 */
import { levelCount, tierNames, tierOf, userLevelCount } from '../../proto/tiers.ts';
import { withheldMax } from '../admission/level-control.ts';
import { type Field, FieldName, fieldOf, HeaderList, listOf } from '../http2/hpack/field.ts';
import { firstWeir } from '../http2/hpack/field-name.ts';
import { orcaField } from '../routing/orca.ts';
import type { MeshToken } from './mesh-token.ts';

const w = 0x77;
const standsForName = 'weir-stands-for';
const levelName = 'weir-level';
/** Longer ones come from nobody that we know. */
export const tenantLengthMax = 128;

const tierFields: readonly Field[] = tierNames.map((name) => fieldOf('weir-tier', name));
const userFields: readonly Field[] = Array.from({ length: userLevelCount }, (_, level) =>
  fieldOf('weir-user', String(level)),
);
const levelFields: readonly Field[] = Array.from({ length: levelCount }, (_, level) =>
  fieldOf(levelName, String(level)),
);

function isWeir({ id, name }: Field): boolean {
  if (id >= firstWeir) return true;
  return id === FieldName.unknown && name.charCodeAt(0) === w && name.startsWith('weir-');
}

function isForThisHop({ name }: Field): boolean {
  return name === 'weir-mesh-token' || name === standsForName;
}

/** The request as the app gets it. */
export function headForApp(head: HeaderList, isFromMesh: boolean): HeaderList {
  if (head.derived instanceof HeaderList) return head.derived;
  const { fields } = head;
  let at = 0;
  while (at < fields.length && !isWeir(fields[at]!)) at++;
  head.derived = at === fields.length ? head : without(head, isFromMesh ? isForThisHop : isWeir);
  return head.derived instanceof HeaderList ? head.derived : head;
}

function without(head: HeaderList, isOff: (field: Field) => boolean): HeaderList {
  return listOf(head.fields.filter((field) => !isOff(field)));
}

/** What a caller of the mesh says of its request; of one object, since it is read once for each. */
export class ToldPriority {
  /** -1 = it says nothing. */
  tier = -1;
  /** -1 = it says nothing. */
  userLevel = -1;
  tenant = '';
  standsFor = 1;

  clear(): void {
    this.tier = -1;
    this.userLevel = -1;
    this.tenant = '';
    this.standsFor = 1;
  }

  read({ fields }: HeaderList): this {
    this.clear();
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      if (field.id === FieldName.weirTier) this.tier = tierOf(field.value);
      else if (field.id === FieldName.weirUser) this.userLevel = wholeNumber(field.value, userLevelCount - 1);
      else if (field.id === FieldName.weirTenant) {
        if (field.value.length <= tenantLengthMax) this.tenant = field.value;
      } else if (field.id === FieldName.unknown && field.name === standsForName) {
        this.standsFor = Math.max(1, wholeNumber(field.value, withheldMax));
      }
    }
    return this;
  }
}

/** What goes beside a request to a sidecar of the mesh. */
export interface Outgoing {
  readonly tier: number;
  readonly userLevel: number;
  readonly tenant: string;
  readonly standsFor: number;
}

/** Adds it, in the place of whatever the app wrote there. */
export function headForMesh(head: HeaderList, told: Outgoing, token: MeshToken | null): HeaderList {
  const fields: Field[] = [];
  for (let i = 0; i < head.fields.length; i++) {
    if (!isWeir(head.fields[i]!)) fields.push(head.fields[i]!);
  }
  if (token !== null) fields.push(token.field);
  fields.push(tierFields[told.tier]!, userFields[told.userLevel]!);
  if (told.tenant !== '') fields.push(fieldOf('weir-tenant', told.tenant));
  if (told.standsFor > 1) fields.push(fieldOf(standsForName, String(told.standsFor)));
  return listOf(fields);
}

/** The level that an answer tells; `levelCount` when it tells none. */
export function levelTold({ fields }: HeaderList): number {
  for (let i = 0; i < fields.length; i++) {
    if (fields[i]!.id !== FieldName.weirLevel) continue;
    const level = wholeNumber(fields[i]!.value, levelCount);
    return level < 0 ? levelCount : level;
  }
  return levelCount;
}

/** An answer with what it tells of the level, whatever it told before; the last one is kept on the list. */
export function withLevel(answer: HeaderList, level: number): HeaderList {
  if (level === levelCount) return levelTold(answer) === levelCount ? answer : without(answer, isLevel);
  const kept = answer.derived;
  if (kept instanceof LevelledAnswer && kept.level === level) return kept.list;
  const fields = answer.fields.filter((field) => !isLevel(field));
  fields.push(levelFields[level]!);
  const list = listOf(fields);
  answer.derived = new LevelledAnswer(level, list);
  return list;
}

/** An answer, or its trailers, with a report of the load; an app that has given one itself has the word. */
export function withLoad(answer: HeaderList, load: string): HeaderList {
  if (load === '' || answer.get(orcaField) !== undefined) return answer;
  const kept = answer.derived;
  if (kept instanceof LoadedAnswer && kept.load === load) return kept.list;
  const list = listOf([...answer.fields, fieldOf(orcaField, load)]);
  answer.derived = new LoadedAnswer(load, list);
  return list;
}

function isLevel({ id }: Field): boolean {
  return id === FieldName.weirLevel;
}

class LoadedAnswer {
  readonly load: string;
  readonly list: HeaderList;

  constructor(load: string, list: HeaderList) {
    this.load = load;
    this.list = list;
  }
}

class LevelledAnswer {
  readonly level: number;
  readonly list: HeaderList;

  constructor(level: number, list: HeaderList) {
    this.level = level;
    this.list = list;
  }
}

/** -1 when it is none, or above `max`. */
function wholeNumber(text: string, max: number): number {
  if (text.length === 0 || text.length > 6) return -1;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value > max ? -1 : value;
}
