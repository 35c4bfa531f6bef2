/**
 * Which names the certificates of a service carry. A service's endpoints are found under addresses that mean nothing
 * (`10.1.2.3`), so it is the service that is proved. One name of these is enough:
 *
 *     {service}.{namespace}.svc.cluster.local     a DNS name; a wildcard in the certificate stands for one label
 *     spiffe://mesh/ns/{namespace}/sa/{service}   a URI, to the letter
 *     any                                         whoever the authorities vouch for; for authorities of one service
 */
export const identityTemplateDefault = '{service}.{namespace}.svc.cluster.local';
export const anyIdentity = 'any';

/** A template tells services apart, or says outright that it does not. */
export function isIdentityTemplate(text: string): boolean {
  if (text === anyIdentity) return true;
  if (!text.includes('{service}')) return false;
  const filled = fillIdentity(text, 'a/b');
  return isUri(filled) || /^[A-Za-z0-9.-]{1,253}$/.test(filled);
}

/** `service` is `<namespace>/<service>`. */
export function fillIdentity(template: string, service: string): string {
  const [namespace = '', name = ''] = service.split('/');
  return template.replaceAll('{service}', name).replaceAll('{namespace}', namespace);
}

export function isUri(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/[^\s{}]+$/i.test(text);
}
