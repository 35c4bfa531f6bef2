/** The static table (RFC 7541 Appendix A), as fields that every list shares. */
import { nameError, textClasses, valueError } from '../validate.ts';
import { Field, fixKnownField } from './field.ts';
import { fieldNameId, fieldNames, indexingOf } from './field-name.ts';

export const staticTableLength = 61;

const rows =
  ':authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|' +
  ':status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|' +
  'accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|' +
  'content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|' +
  'cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|' +
  'last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|' +
  'server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate';

/** By index, from 1; the 0 that no index may be is undefined. */
export const staticTable: readonly (Field | undefined)[] = [
  undefined,
  ...rows.split('|').map((row, i) => {
    const space = row.indexOf(' ');
    const name = space < 0 ? row : row.slice(0, space);
    const value = space < 0 ? '' : row.slice(space + 1);
    const id = fieldNameId(name);
    const nameInvalid = nameError(id, name);
    const invalid = valueError(id, value, textClasses(value));
    const bytes = name.length + value.length + 32;
    return new Field(
      fieldNames[id]!,
      value,
      id,
      false,
      nameInvalid !== 0 ? nameInvalid : invalid,
      indexingOf[id]!,
      i + 1,
      bytes,
    );
  }),
];

/** The lowest static index with that name, by `FieldName`; 0 where there is none. */
export const staticNameIndex: Uint8Array = new Uint8Array(fieldNames.length);

for (let index = staticTableLength; index >= 1; index--) {
  const field = staticTable[index]!;
  staticNameIndex[field.id] = index;
  if (field.value !== '') fixKnownField(field);
}
