/** Reading parsed YAML without trusting its shape: every step says where it was when something is not as expected. */
export class YamlNode {
  readonly value: unknown;
  readonly place: string;

  constructor(value: unknown, place: string) {
    this.value = value;
    this.place = place;
  }

  at(...path: (string | number)[]): YamlNode {
    let value: unknown = this.value;
    for (const step of path) value = isObject(value) ? value[step] : undefined;
    return new YamlNode(value, [this.place, ...path].join(' '));
  }

  get exists(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  /** The items of a list; none where there is nothing. */
  list(): YamlNode[] {
    if (!this.exists) return [];
    if (!Array.isArray(this.value)) throw new Error(`${this.place}: not a list`);
    return this.value.map((item: unknown, i) => new YamlNode(item, `${this.place} ${i}`));
  }

  keys(): string[] {
    return isObject(this.value) ? Object.keys(this.value) : [];
  }

  text(): string {
    if (typeof this.value === 'string' || typeof this.value === 'number') return String(this.value);
    throw new Error(`${this.place}: no text but ${JSON.stringify(this.value)}`);
  }

  texts(): string[] {
    return this.list().map((item) => item.text());
  }

  /** A map of strings, such as labels. */
  labels(): Map<string, string> {
    return new Map(this.keys().map((key) => [key, this.at(key).text()]));
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
