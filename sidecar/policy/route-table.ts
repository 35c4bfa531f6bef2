/**
 * The routes of one policy as requests meet them: the first that matches. Equal requests mostly arrive as the very same
 * `HeaderList` (http2/hpack/block-cache.ts), so what was found for a list is kept by its identity: direct-mapped and
 * bounded, and gone with the policy. A request whose list is new is compared with one route after the other.
 */
import { matches, pathWithoutQuery, type RequestHead, type RouteMatch } from './route-match.ts';

const slots = 256;

export class RouteTable<Settings> {
  /** What holds where no route matches. */
  private readonly otherwise: Settings;
  private readonly routes: readonly { readonly match: RouteMatch; readonly settings: Settings }[];
  private readonly ids = new Float64Array(slots);
  private readonly found: Settings[];

  constructor(routes: readonly { readonly match: RouteMatch; readonly settings: Settings }[], otherwise: Settings) {
    this.routes = routes;
    this.otherwise = otherwise;
    this.found = new Array<Settings>(slots).fill(otherwise);
  }

  settingsFor(head: RequestHead): Settings {
    const slot = head.id & (slots - 1);
    if (this.ids[slot] === head.id) return this.found[slot]!;
    const settings = this.find(head);
    this.ids[slot] = head.id;
    this.found[slot] = settings;
    return settings;
  }

  private find(head: RequestHead): Settings {
    const path = pathWithoutQuery(head.path);
    for (let i = 0; i < this.routes.length; i++) {
      const route = this.routes[i]!;
      if (matches(route.match, head, path)) return route.settings;
    }
    return this.otherwise;
  }
}
