/**
 * The credential of the mesh's data path where there is no mutual TLS, or beside it: sidecars show it to each other in a
 * header, a listener that has it takes nothing without it, and the app never sees it. The comparison takes the same time wherever the first
 * difference lies.
 */
import { type Field, fieldOf, HeaderList } from '../http2/hpack/field.ts';

const fieldName = 'weir-mesh-token';

export class MeshToken {
  /** As it is sent. */
  readonly field: Field;
  private readonly token: string;
  /** Whether requests must carry it (the listener is reachable from outside). */
  private readonly isRequired: boolean;

  constructor(token: string, isRequired: boolean) {
    this.field = fieldOf(fieldName, token);
    this.token = token;
    this.isRequired = isRequired;
  }

  accepts(head: HeaderList): boolean {
    return !this.isRequired || this.isShownBy(head);
  }

  isShownBy(head: HeaderList): boolean {
    const shown = head.get(fieldName) ?? '';
    let difference = shown.length ^ this.token.length;
    for (let i = 0; i < this.token.length; i++) difference |= this.token.charCodeAt(i) ^ (shown.charCodeAt(i) || 0);
    return difference === 0;
  }

  /** The head with the token; kept on the interned list, so that repeated heads cost nothing. */
  add(head: HeaderList): HeaderList {
    if (head.derived instanceof HeaderList) return head.derived;
    const added = head.with({ set: [[fieldName, this.token]] });
    head.derived = added;
    return added;
  }
}
