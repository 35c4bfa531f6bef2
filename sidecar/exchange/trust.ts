/**
 * Whether a caller is a sidecar of the mesh, and may say how important its requests are: it showed the mesh's token, which
 * a listener that has one asks of everybody, or a certificate with an identity that services of the mesh have
 * (--upstream-tls-identity). A listener with neither is on loopback, and trusts nobody.
 */
import { anyIdentity } from '../routing/identity-template.ts';

export class Trust {
  private readonly byToken: boolean;
  private readonly patterns: readonly RegExp[];
  /** Callers have one identity to a connection, so mostly it is the same again. */
  private lastIdentity = '';
  private lastVerdict = false;

  constructor(byToken: boolean, identityTemplates: readonly string[]) {
    this.byToken = byToken;
    this.patterns = identityTemplates.map(patternOf);
  }

  isFromMesh(identity: string): boolean {
    if (this.byToken) return true;
    if (identity === '') return false;
    if (identity !== this.lastIdentity) {
      this.lastIdentity = identity;
      this.lastVerdict = this.patterns.some((pattern) => pattern.test(identity));
    }
    return this.lastVerdict;
  }
}

/** Any service of any namespace. Names are DNS labels, so they hold neither dots nor slashes. */
function patternOf(template: string): RegExp {
  if (template === anyIdentity) return /./;
  const parts = template.split(/\{service\}|\{namespace\}/).map((text) => text.replace(/[^A-Za-z0-9]/g, '\\$&'));
  return new RegExp(`^${parts.join('[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?')}$`);
}
