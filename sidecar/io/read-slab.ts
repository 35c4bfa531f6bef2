/**
 * The one buffer that all sockets read into. libuv asks for memory, reads and calls back without anything in between,
 * and whoever is called consumes the bytes before it returns; so idle connections hold no read buffer at all.
 */
export const readSlab: Buffer = Buffer.allocUnsafeSlow(65_536);
