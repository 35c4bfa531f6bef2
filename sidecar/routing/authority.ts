/**
 * From what a client calls a service (`:authority` or Host) to what the mesh calls it (`<namespace>/<service>`). All the
 * names that Kubernetes DNS gives a service work without configuration:
 *
 *   payments                          the caller's own namespace
 *   payments.shop                     payments.shop.svc         payments.shop.svc.cluster.local
 *
 * with or without a port, in any case, with or without the dot at the end. An explicit entry, with its port or without,
 * wins over these forms.
 */
import { parseServiceKey } from '../../proto/subjects.ts';

/** RFC 1035: a name has at most 253 characters; a colon, five digits and a dot may follow. */
const authorityLengthMax = 260;
/** Resolved authorities remembered. */
const cacheMax = 1024;

export interface AuthorityMapOptions {
  /** The caller's namespace. */
  readonly namespace: string;
  /** Authority, with or without a port → service key. */
  readonly explicit?: ReadonlyMap<string, string>;
}

export class AuthorityMap {
  private readonly namespace: string;
  private readonly explicit = new Map<string, string>();
  private readonly cache = new Map<string, string>();

  constructor(options: AuthorityMapOptions) {
    this.namespace = options.namespace;
    for (const [authority, key] of options.explicit ?? []) this.explicit.set(normalise(authority), key);
  }

  /** Resolved authorities remembered, at most 1024. */
  get cached(): number {
    return this.cache.size;
  }

  /** The service's key; undefined when the authority names no service. */
  resolve(authority: string): string | undefined {
    const known = this.cache.get(authority);
    if (known !== undefined) return known;
    if (authority.length > authorityLengthMax) return undefined;
    const key = this.resolveAnew(normalise(authority));
    // What resolves to nothing is not remembered, and what does is dropped all at once when there is too much of it:
    // a client that makes up names costs itself the look-up and others one miss.
    if (key === undefined) return undefined;
    if (this.cache.size >= cacheMax) this.cache.clear();
    this.cache.set(authority, key);
    return key;
  }

  private resolveAnew(authority: string): string | undefined {
    const host = withoutPort(authority);
    return this.explicit.get(authority) ?? this.explicit.get(host) ?? this.byForm(host);
  }

  private byForm(host: string): string | undefined {
    const labels = (host.endsWith('.') ? host.slice(0, -1) : host).split('.');
    const [service = '', namespace = this.namespace, ...rest] = labels;
    const suffix = rest.join('.');
    if (suffix !== '' && suffix !== 'svc' && suffix !== 'svc.cluster.local') return undefined;
    // The one name that every machine has for itself.
    if (labels.length === 1 && service === 'localhost') return undefined;
    const key = `${namespace}/${service}`;
    return parseServiceKey(key) ? key : undefined;
  }
}

function normalise(authority: string): string {
  return authority.toLowerCase();
}

function withoutPort(authority: string): string {
  return authority.replace(/:[0-9]{1,5}$/, '');
}
