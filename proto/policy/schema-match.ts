/** Which requests something is about, told by their heads alone. */
import { type Static, Type } from 'typebox';
import { headerNamePattern, marker, oneMember, strict } from './schema-parts.ts';

export const routeHeadersMax = 8;

const pathPattern = '^/[!"$-~]*$';

export const PathMatchSpec = Type.Object(
  {
    exact: Type.Optional(
      Type.String({ description: 'The whole path, without the query.', pattern: pathPattern, maxLength: 1024 }),
    ),
    prefix: Type.Optional(
      Type.String({
        description: 'Whole segments at the beginning: /v1 matches /v1 and /v1/orders, not /v10.',
        pattern: pathPattern,
        maxLength: 1024,
      }),
    ),
  },
  {
    ...oneMember,
    description:
      'Octet by octet, as the caller wrote it: nothing is decoded or normalised, so who writes a path otherwise ' +
      "meets the service's own settings.",
  },
);
export type PathMatchSpec = Static<typeof PathMatchSpec>;

export const HeaderMatchSpec = Type.Object(
  {
    name: Type.String({
      description: 'Name of a request header; case does not matter.',
      pattern: headerNamePattern,
      minLength: 1,
      maxLength: 64,
    }),
    exact: Type.Optional(Type.String({ description: 'One of its values is this.', maxLength: 256 })),
    present: Type.Optional(marker('It is there, whatever its value.')),
  },
  { ...strict, description: 'A header, and either exact or present.' },
);
export type HeaderMatchSpec = Static<typeof HeaderMatchSpec>;

export const GrpcMatchSpec = Type.Object(
  {
    service: Type.String({
      description: 'Full name of the gRPC service, such as shop.v1.Orders.',
      pattern: '^[A-Za-z_][A-Za-z0-9_.]*$',
      maxLength: 255,
    }),
    method: Type.Optional(
      Type.String({
        description: 'Name of the method; default: every method of the service.',
        pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
        maxLength: 255,
      }),
    ),
  },
  { ...strict, description: 'A call of gRPC, which is known by its content-type.' },
);
export type GrpcMatchSpec = Static<typeof GrpcMatchSpec>;

export const RouteMatchSpec = Type.Object(
  {
    path: Type.Optional(PathMatchSpec),
    method: Type.Optional(
      Type.String({ description: 'The HTTP method, in capitals.', pattern: '^[A-Z][A-Z-]{0,31}$', maxLength: 32 }),
    ),
    headers: Type.Optional(
      Type.Array(HeaderMatchSpec, { description: 'All of them match.', minItems: 1, maxItems: routeHeadersMax }),
    ),
    grpc: Type.Optional(GrpcMatchSpec),
  },
  { ...strict, minProperties: 1, description: 'Which requests: those that match everything that is named here.' },
);
export type RouteMatchSpec = Static<typeof RouteMatchSpec>;
